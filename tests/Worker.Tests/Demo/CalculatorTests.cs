using System.Globalization;
using CsCheck;
using Pipeline.Agents.Worker;

namespace Pipeline.Worker.Tests;

public sealed class CalculatorTests
{
    [Theory]
    [InlineData("1 + 2 * 3", "7")]
    [InlineData("(1 + 2) * 3", "9")]
    [InlineData("10 - 4 - 3", "3")]
    [InlineData("100 / 5 / 2", "10")]
    [InlineData("17 % 5 * 2", "4")]
    [InlineData("0.1 + 0.2", "0.3")]
    [InlineData(".5 * 4.", "2")]
    [InlineData("-3 + 5", "2")]
    [InlineData("2 * -3", "-6")]
    [InlineData("--3", "3")]
    [InlineData("-2 ^ 2", "-4")]
    [InlineData("2 ^ 3 ^ 2", "512")]
    [InlineData("2 ^ -2", "0.25")]
    [InlineData("0 ^ 0", "1")]
    [InlineData("9 ^ 0.5", "3")]
    [InlineData("2 ^ 64", "18446744073709551616")]
    [InlineData("1 / 3", "0.3333333333333333333333333333")]
    [InlineData("6 ÷ 2 × 4 − 1", "11")]
    public void Arithmetic_follows_the_rules_of_paper(string expression, string result) =>
        Assert.Equal(result, Calculator.Format(Calculator.Evaluate(expression)));

    [Theory]
    [InlineData("", "the expression ends too early, a number is needed")]
    [InlineData("1 +", "the expression ends too early, a number is needed")]
    [InlineData("(1 + 2", "the expression ends too early, ')' is needed")]
    [InlineData("1 + 2)", "')' at position 6 is unexpected")]
    [InlineData("2 $ 3", "'$' at position 3 is unexpected")]
    [InlineData("1 * / 2", "'/' at position 5 is unexpected, a number is needed")]
    [InlineData("1.2.3", "'1.2.3' at position 1 is no number")]
    [InlineData("10 / (5 - 5)", "division by zero at position 4")]
    [InlineData("10 % 0", "division by zero at position 4")]
    [InlineData("0.1 ^ -29", "a number is too large: the calculator reaches up to about 7.9e28")]
    [InlineData("0.5 ^ -100", "a number is too large: the calculator reaches up to about 7.9e28")]
    [InlineData("0 ^ -1", "division by zero at position 3")]
    [InlineData("(-8) ^ 0.5", "-8 ^ 0.5 is no real number")]
    [InlineData("2 ^ 1000", "a number is too large: the calculator reaches up to about 7.9e28")]
    [InlineData("99999999999999999999999999999", "a number is too large: the calculator reaches up to about 7.9e28")]
    [InlineData("1 ^ 10001", "the exponent 10001 after '^' at position 3 is beyond 10000")]
    public void What_cannot_be_calculated_is_explained(string expression, string error) =>
        Assert.Equal(error, Assert.Throws<ToolFailedException>(() => Calculator.Evaluate(expression)).Message);

    [Theory]
    [InlineData('(')]
    [InlineData('-')]
    public void Deep_nesting_is_refused_instead_of_exhausting_the_stack(char nesting)
    {
        var error = Assert.Throws<ToolFailedException>(() => Calculator.Evaluate(new string(nesting, Calculator.MaxLength)));
        Assert.Contains("nested more than", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_expression_is_refused_with_its_length()
    {
        var error = Assert.Throws<ToolFailedException>(() => Calculator.Evaluate(new string('1', 501)));
        Assert.Contains("501", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_expression_evaluates_to_what_its_tree_does() => Trees.Sample(tree =>
    {
        if (tree.Value is { } expected && tree.Text.Length <= Calculator.MaxLength)
        {
            Assert.Equal(expected, Calculator.Evaluate(tree.Text));
        }
    });

    [Fact]
    public void Any_text_gives_a_number_or_an_explanation() => Gen.String[Gen.Char["0123456789.+-*/%^() $"], 0, 60].Sample(text =>
    {
        try
        {
            Calculator.Evaluate(text);
        }
        catch (ToolFailedException)
        {
            // The one exception that is allowed.
        }
    });

    /// <summary>An expression as text, and its value by the tree it was made from; null where it has none.</summary>
    private sealed record Tree(string Text, decimal? Value);

    private static readonly Gen<Tree> Trees = Gen.Recursive<Tree>((depth, inner) =>
    {
        var number = Gen.Int[0, 999].Select(n => n / 10m)
            .Select(n => new Tree(n.ToString(CultureInfo.InvariantCulture), n));
        var pair = Gen.Select(inner, inner, Gen.Char["+-*/%"], (left, right, sign) =>
            new Tree($"({left.Text}) {sign}({right.Text})", Apply(left.Value, right.Value, sign)));
        var negated = inner.Select(tree => new Tree($"-({tree.Text})", -tree.Value));
        return depth > 4 ? number : Gen.Frequency((2, number), (4, pair), (1, negated));
    });

    private static decimal? Apply(decimal? left, decimal? right, char sign)
    {
        try
        {
            return sign switch
            {
                '+' => left + right,
                '-' => left - right,
                '*' => left * right,
                '/' => right == 0 ? null : left / right,
                _ => right == 0 ? null : left % right,
            };
        }
        catch (OverflowException)
        {
            return null;
        }
    }
}
