namespace Pipeline.Testing;

/// <summary>The working copy that the tests were built in.</summary>
public static class Repository
{
    /// <summary>The folder of <c>Pipeline.sln</c>.</summary>
    public static string Root { get; } = Find();

    private static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Pipeline.sln")))
        {
            folder = folder.Parent ?? throw new DirectoryNotFoundException($"no folder above {AppContext.BaseDirectory} has a Pipeline.sln");
        }

        return folder.FullName;
    }
}
