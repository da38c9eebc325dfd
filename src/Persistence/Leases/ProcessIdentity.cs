namespace Pipeline.Persistence;

/// <summary>Which process this is: owner of its outbox rows, relay of its pages, worker of its runs.</summary>
public sealed record ProcessIdentity(Guid Id, string Host, string Role);
