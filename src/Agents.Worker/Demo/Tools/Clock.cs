using System.Globalization;

namespace Pipeline.Agents.Worker;

/// <param name="Zone">IANA name, or UTC.</param>
/// <param name="Time">ISO 8601 with the zone's offset.</param>
/// <param name="Text">For people.</param>
internal sealed record ClockReading(string Zone, string Time, string Text);

/// <summary>Tells the time, in UTC or in a named time zone.</summary>
internal sealed class Clock(TimeProvider time)
{
    /// <param name="zone">IANA name such as <c>Europe/Berlin</c>; null for UTC.</param>
    /// <exception cref="ToolFailedException">There is no such zone.</exception>
    public ClockReading Read(string? zone)
    {
        var info = TimeZoneInfo.Utc;
        if (zone is not null && !TimeZoneInfo.TryFindSystemTimeZoneById(zone, out info))
        {
            throw new ToolFailedException($"'{zone}' is no time zone known here; use an IANA name such as Europe/Berlin");
        }

        var now = TimeZoneInfo.ConvertTime(time.GetUtcNow(), info);
        return new ClockReading(
            zone ?? "UTC",
            now.ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture),
            now.ToString("HH:mm:ss 'on' dddd, d MMMM yyyy '(UTC'zzz')'", CultureInfo.InvariantCulture));
    }
}
