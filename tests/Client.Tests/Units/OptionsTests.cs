namespace Pipeline.Client.Tests;

public sealed class OptionsTests
{
    [Fact]
    public void A_wrong_option_is_named()
    {
        IsWrong("Url", new AgentEventsOptions { Url = new Uri("/relative", UriKind.Relative), Token = Token });
        IsWrong("Url", new AgentEventsOptions { Url = new Uri("ftp://host/"), Token = Token });
        IsWrong("After", new AgentEventsOptions { Url = Url, Token = Token, After = "yesterday" });
        IsWrong("Client", new AgentEventsOptions { Url = Url, Token = Token, Client = "" });
        IsWrong("Transports", new AgentEventsOptions { Url = Url, Token = Token, Transports = 0 });
        IsWrong("ReadAheadEvents", new AgentEventsOptions { Url = Url, Token = Token, ReadAheadEvents = 0 });
        IsWrong("ReadAheadBytes", new AgentEventsOptions { Url = Url, Token = Token, ReadAheadBytes = 0 });
    }

    [Theory]
    [InlineData("https://host", null, "wss://host/v1/events?client=a%26b")]
    [InlineData("http://host:81/prefix", "0", "ws://host:81/prefix/v1/events?after=0&client=a%26b")]
    [InlineData("https://host/prefix/", "epoch1_5", "wss://host/prefix/v1/events?after=epoch1_5&client=a%26b")]
    public void A_WebSocket_is_below_the_base_and_names_the_client(string url, string? after, string expected)
    {
        using var http = new ServiceHttp(new Uri(url), "a&b", handler: null, TimeProvider.System);
        Assert.Equal(expected, http.WebSocketUrl(after).AbsoluteUri);
    }

    [Fact]
    public void Over_http_the_client_is_named_only_without_a_cursor_since_a_cursor_would_be_its_ack()
    {
        using var http = new ServiceHttp(Url, "c", handler: null, TimeProvider.System);
        Assert.Equal("?client=c", http.EventsQuery(after: null));
        Assert.Equal("?after=epoch1_5&limit=10&wait=25", http.EventsQuery("epoch1_5", 10, 25));
    }

    private static Uri Url => new("https://host/");

    private static ValueTask<string> Token(CancellationToken cancellationToken) => ValueTask.FromResult("token");

    private static void IsWrong(string name, AgentEventsOptions options) =>
        Assert.Contains(name, Assert.ThrowsAny<ArgumentException>(() => new AgentEventsClient(options)).ParamName, StringComparison.Ordinal);
}
