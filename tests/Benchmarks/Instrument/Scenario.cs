namespace Pipeline.Benchmarks;

/// <summary>Something that is measured, together with what it is compared with.</summary>
internal abstract class Scenario
{
    /// <summary>Its name on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>Delivery nodes that it needs.</summary>
    public virtual int Nodes => 0;

    /// <summary>What its hosts, and the processes that load them, are configured with beyond the defaults.</summary>
    public virtual IEnumerable<KeyValuePair<string, string>> Settings => [];

    /// <summary>Measures once.</summary>
    /// <param name="stage">Its own, with an empty database.</param>
    public abstract Task<Sample> RunAsync(Stage stage);
}
