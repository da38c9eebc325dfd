using System.Text.Json.Serialization;

namespace Pipeline.Benchmarks;

/// <summary>A part of the load that runs in a process of its own and does what it is asked, one request after the other.</summary>
internal interface IRole<TSelf> : IAsyncDisposable
    where TSelf : IRole<TSelf>
{
    /// <summary>Its name on the command line and in the table.</summary>
    static abstract string Name { get; }

    static abstract Task<TSelf> StartAsync();

    /// <summary>The reply is written as JSON.</summary>
    Task<object> HandleAsync(Request request);
}

/// <summary>What a role is asked. Moments are ticks of <see cref="System.Diagnostics.Stopwatch"/>, which all processes of a machine share.</summary>
[JsonDerivedType(typeof(AppendLoad), "append")]
[JsonDerivedType(typeof(ConnectScreens), "connect")]
[JsonDerivedType(typeof(BeginCounting), "count")]
[JsonDerivedType(typeof(AwaitEvents), "await")]
[JsonDerivedType(typeof(TellAddress), "address")]
[JsonDerivedType(typeof(CloseScreens), "close")]
[JsonDerivedType(typeof(ListenBare), "listen")]
[JsonDerivedType(typeof(Broadcast), "broadcast")]
internal abstract record Request;
