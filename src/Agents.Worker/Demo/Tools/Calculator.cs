using System.Globalization;

namespace Pipeline.Agents.Worker;

/// <summary>
/// Evaluates arithmetic: <c>+ - * / % ^</c>, parentheses, decimals, unary minus. <c>^</c> binds tighter than a minus
/// before it and groups to the right, as on paper. Decimal numbers, so 0.1 + 0.2 is 0.3.
/// </summary>
internal ref struct Calculator
{
    public const int MaxLength = 500;
    public const int MaxDepth = 50;
    private const int MaxExponent = 10_000;

    private readonly ReadOnlySpan<char> _text;
    private int _at;
    private int _depth;

    private Calculator(ReadOnlySpan<char> text) => _text = text;

    /// <exception cref="ToolFailedException">It is no arithmetic, too large, or has no result; says what and where.</exception>
    public static decimal Evaluate(string expression)
    {
        if (expression.Length > MaxLength)
        {
            throw new ToolFailedException($"the expression has {expression.Length} characters, at most {MaxLength} are allowed");
        }

        var calculator = new Calculator(expression);
        try
        {
            var value = calculator.Sum();
            return calculator.Peek() == '\0' ? value : throw calculator.Unexpected();
        }
        catch (ArithmeticException)
        {
            // Overflow, or a division by what is too small for a decimal: one over it would be too large.
            throw new ToolFailedException("a number is too large: the calculator reaches up to about 7.9e28");
        }
    }

    /// <summary>All digits, no exponent, no trailing zeros.</summary>
    public static string Format(decimal value) =>
        value.ToString("0.############################", CultureInfo.InvariantCulture);

    private decimal Sum()
    {
        var value = Product();
        while (Peek() is '+' or '-' or '−')
        {
            var add = Take() == '+';
            var right = Product();
            value = add ? value + right : value - right;
        }

        return value;
    }

    private decimal Product()
    {
        var value = Signed();
        while (Peek() is '*' or '×' or '/' or '÷' or '%')
        {
            var at = _at;
            var sign = Take();
            var right = Signed();
            if (sign is '*' or '×')
            {
                value *= right;
                continue;
            }

            ThrowIfZero(right, at);
            value = sign == '%' ? value % right : value / right;
        }

        return value;
    }

    private decimal Signed()
    {
        Deeper();
        var value = Peek() switch
        {
            '-' or '−' => Negated(),
            '+' => Plus(),
            _ => Power(),
        };
        _depth--;
        return value;
    }

    private decimal Negated()
    {
        Take();
        return -Signed();
    }

    private decimal Plus()
    {
        Take();
        return Signed();
    }

    private decimal Power()
    {
        var value = Primary();
        if (Peek() != '^')
        {
            return value;
        }

        var at = _at;
        Take();
        return Raise(value, Signed(), at);
    }

    private decimal Primary()
    {
        var next = Peek();
        if (next == '(')
        {
            Take();
            var value = Sum();
            return Peek() == ')' ? Closed(value) : throw Unexpected("')'");
        }

        return char.IsAsciiDigit(next) || next == '.' ? Number() : throw Unexpected("a number");
    }

    private decimal Closed(decimal value)
    {
        Take();
        return value;
    }

    private decimal Number()
    {
        var start = _at;
        while (_at < _text.Length && (char.IsAsciiDigit(_text[_at]) || _text[_at] == '.'))
        {
            _at++;
        }

        var text = _text[start.._at];
        return text.Count('.') <= 1 && text is not "."
            ? decimal.Parse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture)
            : throw new ToolFailedException($"'{text}' at position {start + 1} is no number");
    }

    private static decimal Raise(decimal value, decimal exponent, int at)
    {
        if (exponent != decimal.Truncate(exponent))
        {
            var approximate = Math.Pow((double)value, (double)exponent);
            return double.IsNaN(approximate)
                ? throw new ToolFailedException($"{Format(value)} ^ {Format(exponent)} is no real number")
                : (decimal)approximate;
        }

        if (Math.Abs(exponent) > MaxExponent)
        {
            throw new ToolFailedException($"the exponent {Format(exponent)} after '^' at position {at + 1} is beyond {MaxExponent}");
        }

        if (exponent >= 0)
        {
            return RaiseWhole(value, (int)exponent);
        }

        ThrowIfZero(value, at);
        return 1 / RaiseWhole(value, (int)-exponent) is var result && result != 0 ? result : throw new OverflowException();
    }

    private static decimal RaiseWhole(decimal value, int exponent)
    {
        var result = 1m;
        while (true)
        {
            if ((exponent & 1) == 1)
            {
                result *= value;
            }

            exponent >>= 1;
            if (exponent == 0)
            {
                return result;
            }

            value *= value;
        }
    }

    private static void ThrowIfZero(decimal divisor, int at)
    {
        if (divisor == 0)
        {
            throw new ToolFailedException($"division by zero at position {at + 1}");
        }
    }

    private void Deeper()
    {
        if (++_depth > MaxDepth)
        {
            throw new ToolFailedException($"the expression is nested more than {MaxDepth} deep");
        }
    }

    /// <summary>The next character that is no space; NUL at the end.</summary>
    private char Peek()
    {
        while (_at < _text.Length && char.IsWhiteSpace(_text[_at]))
        {
            _at++;
        }

        return _at < _text.Length ? _text[_at] : '\0';
    }

    private char Take() => _text[_at++];

    private readonly ToolFailedException Unexpected(string? needed = null)
    {
        var found = _at < _text.Length ? $"'{_text[_at]}' at position {_at + 1} is unexpected" : "the expression ends too early";
        return new ToolFailedException(needed is null ? found : $"{found}, {needed} is needed");
    }
}
