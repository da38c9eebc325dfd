using System.Text.RegularExpressions;

namespace Pipeline.Agents.Worker;

/// <summary>One section of a document.</summary>
internal sealed record Section(string Title, string Text);

/// <param name="Title">Document and section.</param>
/// <param name="Snippet">The sentences that fit best.</param>
/// <param name="Score">Higher fits better; comparable within one search only.</param>
internal sealed record SearchHit(string Title, string Snippet, double Score);

/// <summary>
/// Finds sections by the words of a question: rare words count more, words in the title most, and a second occurrence
/// less than the first.
/// </summary>
internal sealed partial class DocumentSearch
{
    private const double TitleWeight = 1.5;

    private static readonly HashSet<string> Ignored = new(StringComparer.Ordinal)
    {
        "a", "about", "all", "an", "and", "are", "as", "at", "be", "by", "can", "do", "doe", "for", "from", "give", "ha", "have",
        "how", "i", "if", "in", "is", "it", "like", "long", "me", "more", "my", "not", "of", "on", "one", "or", "please", "search",
        "so", "tell", "that", "the", "think", "thi", "to", "wa", "what", "when", "where", "which", "while", "who", "why",
        "will", "with", "work", "would", "you", "your", "explain",
    };

    private readonly List<(Section Section, string[] Title, string[] Words)> _sections;
    private readonly Dictionary<string, double> _rarity;

    public DocumentSearch(IEnumerable<Section> sections)
    {
        _sections = [.. sections.Select(s => (s, Words(s.Title).ToArray(), Words(s.Text).ToArray()))];
        _rarity = _sections
            .SelectMany(s => s.Title.Concat(s.Words).Distinct())
            .GroupBy(word => word, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => Math.Log(1 + ((double)_sections.Count / g.Count())), StringComparer.Ordinal);
    }

    /// <summary>The documents about this pipeline that come with the worker.</summary>
    public static DocumentSearch Bundled { get; } = new(ReadBundled());

    public IEnumerable<Section> Sections => _sections.Select(s => s.Section);

    /// <summary>Best first; none when no word of the question is found.</summary>
    public IReadOnlyList<SearchHit> Search(string question, int limit)
    {
        var terms = Words(question).Where(w => !Ignored.Contains(w) && _rarity.ContainsKey(w)).Distinct().ToArray();
        return [.. _sections
            .Select(s => (s.Section, Score: terms.Sum(t => Score(t, s.Title, s.Words))))
            .Where(s => s.Score > 0)
            .OrderByDescending(s => s.Score)
            .ThenBy(s => s.Section.Title, StringComparer.Ordinal)
            .Take(limit)
            .Select(s => new SearchHit(s.Section.Title, Snippet(s.Section.Text, terms), Math.Round(s.Score, 2)))];
    }

    /// <summary>How many words of the text occur in the question.</summary>
    public static int CountCommon(string question, string text)
    {
        var terms = Words(question).Where(w => !Ignored.Contains(w)).ToHashSet(StringComparer.Ordinal);
        return Words(text).Distinct().Count(terms.Contains);
    }

    /// <summary>Splits at <c>##</c> headings; the <c>#</c> heading goes in front of each section's.</summary>
    internal static IEnumerable<Section> ReadSections(string markdown)
    {
        string document = "", title = "";
        var text = new List<string>();
        foreach (var line in markdown.Split('\n').Append("## "))
        {
            if (line.StartsWith("## ", StringComparison.Ordinal))
            {
                if (text.Count > 0)
                {
                    yield return new Section($"{document}: {title}", string.Join(' ', text));
                }

                title = line[3..].Trim();
                text.Clear();
            }
            else if (line.StartsWith("# ", StringComparison.Ordinal))
            {
                document = line[2..].Trim();
            }
            else if (!string.IsNullOrWhiteSpace(line))
            {
                text.Add(line.Trim());
            }
        }
    }

    private double Score(string term, string[] title, string[] words)
    {
        var occurrences = words.Count(w => w == term);
        return _rarity[term] * ((occurrences / (occurrences + 1.0)) + (title.Contains(term) ? TitleWeight : 0));
    }

    /// <summary>The best sentence, and the one after it.</summary>
    private static string Snippet(string text, string[] terms)
    {
        var sentences = SentenceEnd().Split(text);
        var best = Enumerable.Range(0, sentences.Length)
            .MaxBy(i => Words(sentences[i]).Distinct().Count(terms.Contains));
        return string.Join(' ', sentences.Skip(best).Take(2));
    }

    /// <summary>Lower case, without a plural's s; <c>agent_started</c> is itself and each of its parts.</summary>
    private static IEnumerable<string> Words(string text) => WordPattern().Matches(text.ToLowerInvariant())
        .SelectMany(m => m.Value.Contains('_', StringComparison.Ordinal) ? [m.Value, .. m.Value.Split('_')] : new[] { m.Value })
        .Select(w => w.Length > 2 && w.EndsWith('s') && !w.EndsWith("ss", StringComparison.Ordinal) ? w[..^1] : w)
        .Where(w => w.Length > 0);

    private static IEnumerable<Section> ReadBundled()
    {
        var assembly = typeof(DocumentSearch).Assembly;
        foreach (var name in assembly.GetManifestResourceNames().Where(n => n.EndsWith(".md", StringComparison.Ordinal)).Order())
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            foreach (var section in ReadSections(reader.ReadToEnd()))
            {
                yield return section;
            }
        }
    }

    [GeneratedRegex("[a-z0-9_]+")]
    private static partial Regex WordPattern();

    [GeneratedRegex(@"(?<=[.!?])\s+")]
    private static partial Regex SentenceEnd();
}
