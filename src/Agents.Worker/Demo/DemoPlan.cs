using System.Text.RegularExpressions;

namespace Pipeline.Agents.Worker;

/// <summary>What the demo agent reads out of a request.</summary>
/// <param name="Expression">Arithmetic in it; null for none.</param>
/// <param name="AsksForTime">It asks for the time or date.</param>
/// <param name="Zone">A time zone it names, known or not; null for none.</param>
/// <param name="Question">What to search the documents for; null for nothing.</param>
/// <param name="ThinksLong">It asks to think for a long while.</param>
internal sealed partial record DemoPlan(string? Expression, bool AsksForTime, string? Zone, string? Question, bool ThinksLong)
{
    /// <summary>How far a request is looked at: the patterns take time with the square of it.</summary>
    private const int MaxLength = 2_000;

    public static DemoPlan For(string input)
    {
        input = input.Length <= MaxLength ? input : input[..MaxLength];
        var expression = ArithmeticPattern().Matches(input)
            .Select(m => m.Value.Trim())
            .Where(m => OperationPattern().IsMatch(m))
            .MaxBy(m => m.Length);
        var asksForTime = TimePattern().IsMatch(input);
        var searches = (expression is null && !asksForTime) || TopicPattern().IsMatch(input);
        return new DemoPlan(
            expression, asksForTime, asksForTime ? FindZone(input) : null, searches ? input : null, LongPattern().IsMatch(input));
    }

    private static string? FindZone(string input)
    {
        if (ZonePattern().Match(input) is { Success: true } named)
        {
            return named.Value;
        }

        var words = CityPattern().Matches(input).Select(m => m.Value).ToHashSet(StringComparer.OrdinalIgnoreCase);
        return TimeZoneInfo.GetSystemTimeZones()
            .Select(z => z.Id)
            .Where(id => id.Contains('/', StringComparison.Ordinal) && words.Contains(id[(id.LastIndexOf('/') + 1)..]))
            .Order(StringComparer.Ordinal)
            .FirstOrDefault(id => !id.StartsWith("Etc/", StringComparison.Ordinal));
    }

    /// <summary>From a digit, sign, dot or parenthesis on, as long as it looks like arithmetic; ends in a digit or parenthesis.</summary>
    [GeneratedRegex(@"[-−+(.\d](?:[\d\s.+\-−*×/÷%^()]*[\d)])?")]
    private static partial Regex ArithmeticPattern();

    /// <summary>An operator after an operand. Not a date or a phone number: those have no space around a minus.</summary>
    [GeneratedRegex(@"[\d)]\s*[+*×/÷%^]\s*[-−+(.\d]|[\d)]\s+[-−]\s*[(.\d]|^[\s(]*[\d.]+[-−][\d.]+[\s)]*$")]
    private static partial Regex OperationPattern();

    [GeneratedRegex(@"\b(time|clock|date|today)\b", RegexOptions.IgnoreCase)]
    private static partial Regex TimePattern();

    [GeneratedRegex(@"\b[A-Z][A-Za-z_]+(/[A-Z][A-Za-z_+\-0-9]+)+\b")]
    private static partial Regex ZonePattern();

    [GeneratedRegex(@"\b\p{L}{3,}\b")]
    private static partial Regex CityPattern();

    [GeneratedRegex(@"\b(search|explain|pipeline|cursors?|outbox|relay|pages?|leases?|replay|streams?|feeds?|events?)\b", RegexOptions.IgnoreCase)]
    private static partial Regex TopicPattern();

    [GeneratedRegex(@"\bthink\w*\b.*\blong\b", RegexOptions.IgnoreCase | RegexOptions.Singleline)]
    private static partial Regex LongPattern();
}
