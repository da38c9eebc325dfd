using System.Globalization;
using Microsoft.Extensions.Options;

namespace Pipeline.Messaging;

/// <summary>Reports everything that is wrong with section <c>Bus</c> at once.</summary>
internal sealed class BusOptionsValidator : IValidateOptions<BusOptions>
{
    private const int TlsPort = 5671;

    public ValidateOptionsResult Validate(string? name, BusOptions options)
    {
        var errors = Errors(options).ToList();
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    private static IEnumerable<string> Errors(BusOptions options)
    {
        if (options.Transport is not (BusOptions.RabbitMq or BusOptions.Memory))
        {
            yield return $"Bus:Transport is '{options.Transport}'; use {BusOptions.RabbitMq} or {BusOptions.Memory}.";
        }

        foreach (var error in options.Transport == BusOptions.RabbitMq ? BrokerErrors(options) : [])
        {
            yield return error;
        }

        if (options.TypedEvents is not (BusOptions.TypedNone or BusOptions.TypedLifecycle or BusOptions.TypedAll))
        {
            yield return $"Bus:TypedEvents is '{options.TypedEvents}'; use none, lifecycle or all.";
        }

        foreach (var error in RangeErrors(options))
        {
            yield return error;
        }
    }

    private static IEnumerable<string> BrokerErrors(BusOptions options)
    {
        if (string.IsNullOrWhiteSpace(options.Host))
        {
            yield return "Bus:Host is empty; give the broker's host name or address.";
        }

        if (options.Port is < 1 or > 65535)
        {
            yield return $"Bus:Port is {options.Port}; use 1 to 65535.";
        }

        if (options.Port == TlsPort && !options.UseTls)
        {
            yield return $"Bus:Port is {TlsPort}, the port of TLS, but Bus:UseTls is false; set it to true or use port 5672.";
        }

        if (string.IsNullOrEmpty(options.VirtualHost))
        {
            yield return "Bus:VirtualHost is empty; use / for the default one.";
        }

        if (string.IsNullOrEmpty(options.Username))
        {
            yield return "Bus:Username is empty; give the name of a user of the broker.";
        }

        if (string.IsNullOrEmpty(options.Password))
        {
            yield return "Bus:Password is empty; give the user's password.";
        }
    }

    private static IEnumerable<string> RangeErrors(BusOptions options)
    {
        string?[] errors =
        [
            Outside("PublishTimeout", options.PublishTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60)),
            Outside("PublishWindow", options.PublishWindow, 1, 64),
            Outside("PageBytes", options.PageBytes, 16 * 1024, 1024 * 1024),
            Outside("Sweep", options.Sweep, TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(10)),
            Outside("NodeQueueBytes", options.NodeQueueBytes, 1024 * 1024, 1024L * 1024 * 1024 * 1024),
        ];
        return errors.OfType<string>();
    }

    private static string? Outside<T>(string setting, T value, T from, T to)
        where T : IComparable<T> =>
        value.CompareTo(from) < 0 || value.CompareTo(to) > 0
            ? string.Create(CultureInfo.InvariantCulture, $"Bus:{setting} is {value}; use {from} to {to}.")
            : null;
}
