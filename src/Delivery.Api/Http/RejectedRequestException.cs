namespace Pipeline.Delivery.Api;

/// <summary>A request that is answered with a problem, from wherever it was found; not a fault of this host.</summary>
public sealed class RejectedRequestException(IResult problem) : Exception("the request was rejected")
{
    public IResult Problem { get; } = problem;
}
