namespace Pipeline.Delivery.Api;

/// <summary>Section <c>Delivery</c> of the configuration.</summary>
public sealed class DeliveryOptions
{
    public const string Section = "Delivery";

    /// <summary>
    /// Origins (<c>https://app.example.com</c>) of other sites' pages that may use this API from a browser, for CORS and
    /// for WebSockets; <c>*</c> for any. Default: none, only pages that this host serves itself.
    /// </summary>
    public IList<string> AllowedOrigins { get; init; } = [];

    /// <summary>Most bytes of one <c>POST /v1/events</c> body, 64 KB to 64 MB. Default 4 MB.</summary>
    public int MaxAppendBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>
    /// Time between "not ready" and the end of accepting when the host stops, 0 to 20 s, so that a load balancer
    /// notices first. Default 0.
    /// </summary>
    public TimeSpan DrainDelay { get; set; } = TimeSpan.Zero;

    /// <summary>
    /// Time between two canary events, which the node appends and waits for to know that events arrive here, 1 s to 5 min;
    /// 0 for none. Default 5 s.
    /// </summary>
    public TimeSpan Canary { get; set; } = TimeSpan.FromSeconds(5);
}
