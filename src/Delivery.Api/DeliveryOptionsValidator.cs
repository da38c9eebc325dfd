using Microsoft.Extensions.Options;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

internal sealed class DeliveryOptionsValidator(IOptions<PersistenceOptions> persistence) : IValidateOptions<DeliveryOptions>
{
    private const int MinAppendBytes = 64 * 1024;
    private const int MaxAppendBytes = 64 * 1024 * 1024;
    private const int EnvelopeBytes = 4 * 1024;

    public ValidateOptionsResult Validate(string? name, DeliveryOptions options)
    {
        var errors = Origins(options).Concat(Limits(options)).ToList();
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    private static IEnumerable<string> Origins(DeliveryOptions options) =>
        options.AllowedOrigins
            .Select((origin, index) => (origin, index))
            .Where(o => o.origin != "*" && !IsOrigin(o.origin))
            .Select(o => $"Delivery:AllowedOrigins:{o.index} is '{o.origin}'; give an origin like https://app.example.com (no path, no slash at the end), or *");

    private static bool IsOrigin(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri)
        && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps)
        && string.Equals(uri.GetLeftPart(UriPartial.Authority), text, StringComparison.OrdinalIgnoreCase);

    private IEnumerable<string> Limits(DeliveryOptions options)
    {
        if (options.MaxAppendBytes is < MinAppendBytes or > MaxAppendBytes)
        {
            yield return $"Delivery:MaxAppendBytes is {options.MaxAppendBytes}; give {MinAppendBytes} to {MaxAppendBytes}";
        }
        else if (options.MaxAppendBytes < LargestEvent() + EnvelopeBytes)
        {
            yield return $"Delivery:MaxAppendBytes is {options.MaxAppendBytes}, less than one event of Persistence:MaxEventBytes needs; give {LargestEvent() + EnvelopeBytes} or more";
        }

        if (options.DrainDelay < TimeSpan.Zero || options.DrainDelay > TimeSpan.FromSeconds(20))
        {
            yield return $"Delivery:DrainDelay is {options.DrainDelay}; give 00:00:00 to 00:00:20";
        }

        if (options.Canary != TimeSpan.Zero && (options.Canary < TimeSpan.FromSeconds(1) || options.Canary > TimeSpan.FromMinutes(5)))
        {
            yield return $"Delivery:Canary is {options.Canary}; give 00:00:01 to 00:05:00, or 00:00:00 for no canary";
        }
    }

    // Where the other section is wrong itself, its own validator says so.
    private int LargestEvent()
    {
        try
        {
            return persistence.Value.MaxEventBytes;
        }
        catch (OptionsValidationException)
        {
            return 0;
        }
    }
}
