namespace Pipeline.Benchmarks;

/// <summary>One figure of one run.</summary>
/// <param name="Name">What is measured, as the table says it.</param>
internal sealed record Figure(string Name, double Value, string Unit)
{
    /// <summary>The same of what it is compared with, in the same run and unit.</summary>
    public double? Reference { get; init; }

    /// <summary>What it is compared with.</summary>
    public string? Against { get; init; }

    /// <summary>What was wrong there. It is told, and the figures stand: what a stack loses or swaps is a property of it.</summary>
    public Verdict AgainstVerdict { get; init; }
}

/// <summary>What the readers saw beside what was acknowledged. Anything but zeros makes the pipeline's figures void.</summary>
internal readonly record struct Verdict(long Lost, long Doubled, long Disordered)
{
    public bool IsClean => this == default;

    public override string ToString() => $"lost {Lost}, doubled {Doubled}, disordered {Disordered}";

    public static Verdict operator +(Verdict a, Verdict b) =>
        new(a.Lost + b.Lost, a.Doubled + b.Doubled, a.Disordered + b.Disordered);
}

/// <summary>What one run gave.</summary>
internal sealed record Sample(IReadOnlyList<Figure> Figures, Verdict Verdict, Costs Costs);

/// <summary>What a measured stretch took.</summary>
/// <param name="Cpu">Seconds by process.</param>
/// <param name="WalBytes">Written by PostgreSQL.</param>
/// <param name="BrokerMessages">That RabbitMQ took in.</param>
internal sealed record Costs(IReadOnlyDictionary<string, double> Cpu, long WalBytes, long BrokerMessages);

/// <summary>In milliseconds.</summary>
internal sealed record Latency(double P50, double P99, double P999)
{
    /// <param name="milliseconds">Sorted in place.</param>
    public static Latency Of(float[] milliseconds)
    {
        Array.Sort(milliseconds);
        return new Latency(At(0.5), At(0.99), At(0.999));

        double At(double share) => milliseconds.Length == 0 ? 0 : milliseconds[(int)(milliseconds.Length * share)];
    }
}
