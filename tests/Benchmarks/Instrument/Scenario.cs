namespace Pipeline.Benchmarks;

/// <summary>Something that is measured, together with what it is compared with.</summary>
internal abstract class Scenario
{
    /// <summary>Its name on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>Delivery nodes that it needs.</summary>
    public virtual int Nodes => 0;

    /// <summary>Measures once.</summary>
    /// <param name="stage">Its own, with an empty database.</param>
    public abstract Task<Sample> RunAsync(Stage stage);
}
