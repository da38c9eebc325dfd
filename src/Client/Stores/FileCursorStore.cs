using Pipeline.Contracts;

namespace Pipeline.Client;

/// <summary>
/// Keeps the cursor in a file, which is replaced as a whole: it holds the last cursor or the one before, never half of one. It is
/// not flushed to the disk each time, so after a crash of the machine events may come again.
/// </summary>
/// <param name="path">The file; its folder must exist. Beside it, <c>PATH.new</c> is used.</param>
public sealed class FileCursorStore(string path) : ICursorStore
{
    private readonly string _path = Path.GetFullPath(path);

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">The file holds no cursor.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public async ValueTask<string?> LoadAsync(CancellationToken cancellationToken)
    {
        string text;
        try
        {
            text = (await File.ReadAllTextAsync(_path, cancellationToken)).Trim();
        }
        catch (FileNotFoundException)
        {
            return null;
        }

        // To start from now on instead would skip events without a word.
        return Cursor.TryParse(text, out _)
            ? text
            : throw new InvalidDataException($"{_path} holds no cursor; write the one to start after into it, 0 for the oldest kept event, or delete it");
    }

    /// <inheritdoc/>
    /// <exception cref="IOException">It cannot be written.</exception>
    public async ValueTask SaveAsync(string cursor, CancellationToken cancellationToken)
    {
        var next = $"{_path}.new";
        await File.WriteAllTextAsync(next, cursor, cancellationToken);
        File.Move(next, _path, overwrite: true);
    }
}
