using System.Globalization;
using System.Text.Json;
using Pipeline.Testing;

namespace Pipeline.Benchmarks;

/// <summary>The table, as it grows, and <c>artifacts/bench/latest.json</c>.</summary>
internal sealed class Report(TextWriter output)
{
    private static readonly JsonSerializerOptions Indented = new(JsonSerializerDefaults.Web) { WriteIndented = true };
    private readonly List<Row> _rows = [];

    /// <summary>Whether nothing was lost, doubled or out of order.</summary>
    public bool IsClean => _rows.TrueForAll(row => row.Verdict.IsClean);

    public void Begin() => output.WriteLine(
        $"{"scenario",-58}{"median",12} {"unit",-10}{"spread",7}{"reference",12}  {"ratio",6}  against");

    public void Add(IReadOnlyList<Sample> runs)
    {
        foreach (var row in Row.Of(runs))
        {
            _rows.Add(row);
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{row.Name,-58}{(row.Value is { } value ? Short(value) : "void"),12} {row.Unit,-10}{row.Spread,7:P0}{Short(row.Reference),12}  {row.Ratio,6:0.00}  {row.Against}"));
        }

        var (verdict, costs) = (_rows[^1].Verdict, _rows[^1].Costs);
        var cpu = string.Join(", ", costs.Cpu.Select(process => string.Create(CultureInfo.InvariantCulture, $"{process.Key} {process.Value:0.0}")));
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"  CPU s: {cpu}; WAL {costs.WalBytes / 1e6:0.0} MB; broker messages {costs.BrokerMessages:N0}; {verdict}"));
    }

    public async Task SaveAsync()
    {
        var folder = Directory.CreateDirectory(Path.Combine(Repository.Root, "artifacts", "bench"));
        var rows = _rows.ToDictionary(row => row.Name, row => new
        {
            figure = row.Value,
            row.Unit,
            row.Reference,
            row.Against,
            row.Ratio,
            row.Spread,
            row.Verdict.Lost,
            row.Verdict.Doubled,
            row.Verdict.Disordered,
            row.Runs,
            cpuSeconds = row.Costs.Cpu,
            row.Costs.WalBytes,
            row.Costs.BrokerMessages,
        });
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "latest.json"), JsonSerializer.Serialize(rows, Indented));
    }

    private static string Short(double? value) => value switch
    {
        null => "",
        >= 100 => value.Value.ToString("N0", CultureInfo.InvariantCulture),
        >= 10 => value.Value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.Value.ToString("0.00", CultureInfo.InvariantCulture),
    };
}
