namespace Pipeline.Delivery.Api;

/// <summary>What subscriptions work with.</summary>
internal sealed record SubscriptionServices(
    FeedHub Hub, LogReplay Replay, AckCoalescer Acks, Degradation Degradation, DeliveryMetrics Metrics, TimeProvider Time);
