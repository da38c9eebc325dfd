namespace Pipeline.Testing;

/// <summary>A disk that is soon full: a small tmpfs, which only root may mount.</summary>
public sealed class SmallDisk : IAsyncDisposable
{
    private SmallDisk(string path) => Path = path;

    public string Path { get; }

    /// <summary>Mounts one; null, with the reason, where this machine does not let us.</summary>
    public static async Task<(SmallDisk? Disk, string Reason)> TryMountAsync(int megabytes)
    {
        var path = Directory.CreateTempSubdirectory("pipeline-disk-").FullName;
        try
        {
            await Command.RunAsync("mount", ["-t", "tmpfs", "-o", $"size={megabytes}m,mode=755", "tmpfs", path]);
            return (new SmallDisk(path), "");
        }
        catch (Exception exception) when (exception is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            Directory.Delete(path);
            return (null, $"this machine does not let us mount a small tmpfs: {exception.Message}");
        }
    }

    /// <summary>Fills it to the last byte, but for so many.</summary>
    public async Task FillAsync(long leaveBytes = 0)
    {
        var free = new DriveInfo(Path).AvailableFreeSpace - leaveBytes;
        await using var file = File.Create(Ballast);
        var chunk = new byte[64 * 1024];
        try
        {
            for (; free > 0; free -= chunk.Length)
            {
                await file.WriteAsync(chunk.AsMemory(0, (int)Math.Min(free, chunk.Length)));
                await file.FlushAsync();
            }
        }
        catch (IOException)
        {
            // Full.
        }
    }

    /// <summary>Gives back what <see cref="FillAsync"/> took.</summary>
    public void Free() => File.Delete(Ballast);

    public async ValueTask DisposeAsync()
    {
        await Command.RunAsync("umount", ["-l", Path]);
        Directory.Delete(Path);
    }

    private string Ballast => System.IO.Path.Combine(Path, "ballast");
}
