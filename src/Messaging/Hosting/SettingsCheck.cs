using System.ComponentModel;
using System.Reflection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>
/// Finds everything that is wrong in the pipeline's sections of the configuration. A host alone would stop at the first
/// service whose constructor reads a wrong section, and at the first value that is no number or time.
/// </summary>
internal sealed class SettingsCheck(IServiceCollection descriptors, IServiceProvider services, IConfiguration configuration)
{
    private const string SectionConstant = "Section";

    /// <summary>What is wrong and what to do, one entry a setting; empty when nothing is.</summary>
    public IReadOnlyList<string> Errors() => [.. OptionsTypes().SelectMany(ErrorsOf), .. Failpoints.Errors(configuration)];

    private IEnumerable<Type> OptionsTypes() => descriptors
        .Select(descriptor => descriptor.ServiceType)
        .Where(type => type.IsConstructedGenericType && type.GetGenericTypeDefinition() == typeof(IConfigureOptions<>))
        .Select(type => type.GenericTypeArguments[0])
        .Where(type => type.GetField(SectionConstant) is { IsLiteral: true } && type.Namespace!.StartsWith("Pipeline.", StringComparison.Ordinal))
        .Distinct()
        .ToList();

    private List<string> ErrorsOf(Type options)
    {
        var section = (string)options.GetField(SectionConstant)!.GetRawConstantValue()!;
        var unreadable = options.GetProperties()
            .Where(property => property.CanWrite)
            .Select(property => Unreadable(section, property))
            .OfType<string>()
            .ToList();
        if (unreadable.Count > 0)
        {
            return unreadable;
        }

        try
        {
            var accessor = services.GetRequiredService(typeof(IOptionsMonitor<>).MakeGenericType(options));
            accessor.GetType().GetMethod("Get")!.Invoke(accessor, [Options.DefaultName]);
            return [];
        }
        catch (TargetInvocationException exception) when (exception.InnerException is OptionsValidationException invalid)
        {
            return [.. invalid.Failures];
        }
    }

    private string? Unreadable(string section, PropertyInfo property)
    {
        var value = configuration[$"{section}:{property.Name}"];
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        if (string.IsNullOrEmpty(value) || !type.IsValueType)
        {
            return null;
        }

        try
        {
            TypeDescriptor.GetConverter(type).ConvertFromInvariantString(value);
            return null;
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException or NotSupportedException or OverflowException)
        {
            return $"{section}:{property.Name} is '{value}'; give {Describe(type)}";
        }
    }

    private static string Describe(Type type) =>
        type == typeof(TimeSpan) ? "a time like 00:00:10"
        : type == typeof(bool) ? "true or false"
        : type.IsEnum ? $"one of {string.Join(", ", Enum.GetNames(type))}"
        : "a number in range";
}
