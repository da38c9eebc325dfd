namespace Pipeline.Client.Tests;

public sealed class FileCursorStoreTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pipeline-client-");

    private string File => Path.Combine(_folder.FullName, "cursor");

    [Fact]
    public async Task Nothing_saved_is_no_cursor() => Assert.Null(await LoadAsync());

    [Fact]
    public async Task The_cursor_saved_last_is_the_one_loaded()
    {
        var store = new FileCursorStore(File);
        await store.SaveAsync(Frames.At(1_000), TestContext.Current.CancellationToken);
        await store.SaveAsync(Frames.At(2), TestContext.Current.CancellationToken);
        Assert.Equal(Frames.At(2), await LoadAsync());
        Assert.Single(_folder.GetFiles());
    }

    [Theory]
    [InlineData("")]
    [InlineData("epoch1_")]
    public async Task A_file_that_holds_no_cursor_is_an_error_and_not_a_start_from_now_on(string text)
    {
        await System.IO.File.WriteAllTextAsync(File, text, TestContext.Current.CancellationToken);
        var error = await Assert.ThrowsAsync<InvalidDataException>(LoadAsync);
        Assert.Contains(File, error.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private Task<string?> LoadAsync() => new FileCursorStore(File).LoadAsync(TestContext.Current.CancellationToken).AsTask();
}
