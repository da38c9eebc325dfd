using Microsoft.Data.Sqlite;

namespace Pipeline.Standalone;

/// <summary>What the quick start needs and nobody should have to set: an address, a place for the data, a signing key.</summary>
internal static class LocalDefaults
{
    private const string Address = "http://127.0.0.1:5080";
    private const string ConnectionString = "Persistence:ConnectionString";

    private static readonly string[] AddressSettings = ["urls", "http_ports", "https_ports", "Kestrel:Endpoints"];

    /// <summary>Fills in what is not configured.</summary>
    public static void UseLocalDefaults(this WebApplicationBuilder builder)
    {
        var configuration = builder.Configuration;
        if (!AddressSettings.Any(name => configuration.GetSection(name).Exists()))
        {
            builder.WebHost.UseUrls(Address);
        }

        if (configuration["Persistence:Provider"] != "sqlite")
        {
            return;
        }

        var database = new SqliteConnectionStringBuilder(configuration[ConnectionString]);
        if (database.DataSource is not ("" or ":memory:"))
        {
            database.DataSource = Path.GetFullPath(database.DataSource);
            configuration[ConnectionString] = database.ConnectionString;
        }

        if (string.IsNullOrEmpty(configuration["Auth:Authority"]) && string.IsNullOrEmpty(configuration["Auth:SigningKey"]))
        {
            configuration["Auth:SigningKey"] = SigningKeyFile.ReadOrCreate(Path.ChangeExtension(database.DataSource, ".key"));
        }
    }

    /// <summary>The file that holds the data, or the connection string where it is no file.</summary>
    public static string DataOf(IConfiguration configuration) =>
        configuration["Persistence:Provider"] == "sqlite"
            ? new SqliteConnectionStringBuilder(configuration[ConnectionString]).DataSource
            : "the configured database";
}
