namespace Pipeline.Delivery.Api;

/// <summary>Checks tokens that do not come in the Authorization header: WebSocket subprotocol, <c>auth</c> frame, query.</summary>
public sealed class TokenValidation
{
    /// <summary>The caller, or null when the token is bad or expired. Needs no dependency but cached keys.</summary>
    public Task<Caller?> ValidateAsync(string token) => throw new NotImplementedException();
}
