using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using Pipeline.Delivery.Api;

namespace Pipeline.Standalone;

/// <summary>A random key beside the database, so that tokens survive a restart and no two installations share one.</summary>
internal static class SigningKeyFile
{
    public static string ReadOrCreate(string path)
    {
        if (TryCreate(path) is { } created)
        {
            return created;
        }

        var key = File.ReadAllText(path).Trim();
        return key.Length > 0
            ? key
            : throw Wrong($"the signing key file {path} is empty; delete it, or set Auth:SigningKey");
    }

    private static string? TryCreate(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        try
        {
            using var writer = new StreamWriter(path, options);
            var key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(48));
            writer.WriteLine(key);
            return key;
        }
        catch (IOException) when (File.Exists(path))
        {
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Wrong($"{path} cannot be written ({exception.Message}); start in a folder that can be, or set Persistence:ConnectionString to 'Data Source=FILE' in one");
        }
    }

    private static OptionsValidationException Wrong(string problem) =>
        new(AuthOptions.Section, typeof(AuthOptions), [problem]);
}
