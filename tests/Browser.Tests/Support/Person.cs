using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Pipeline.Browser.Tests;

/// <summary>A user of their own, an agent that works for them, and what is committed for them.</summary>
public sealed class Person(Uri service, string signingKey)
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(20) };
    private readonly AgentRun _talk = new($"run-{Guid.CreateVersion7():n}");
    private int _said;
    private string? _newest;

    public string User { get; } = $"user-{Guid.CreateVersion7():n}";

    /// <summary>A token that outlives any test.</summary>
    public string Token => TokenFor(TimeSpan.FromHours(24));

    public string TokenFor(TimeSpan lifetime, string scope = "")
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
        {
            Claims = new Dictionary<string, object> { ["sub"] = User, ["scope"] = scope },
            Expires = now + lifetime,
            SigningCredentials = new SigningCredentials(
                new SymmetricSecurityKey(Encoding.UTF8.GetBytes(signingKey)), SecurityAlgorithms.HmacSha256),
        });
    }

    /// <summary>The agent appends so many events, all or none, to a run of thread <c>main</c>.</summary>
    public Task AppendAsync(int events)
    {
        var first = _said + 1;
        _said += events;
        return AppendAsync(Enumerable.Range(first, events).Select(Message));
    }

    /// <summary>The agent does a whole run of so many events: thoughts, tools and an answer.</summary>
    /// <param name="fails">Whether it ends without one.</param>
    public Task AppendRunAsync(int events, bool fails = false) =>
        AppendAsync(new AgentRun($"run-{Guid.CreateVersion7():n}").Events(events, fails));

    /// <summary>Every committed event, in order: the truth that screens are held against.</summary>
    public async Task<IReadOnlyList<JsonElement>> EventsAsync()
    {
        var events = new List<JsonElement>();
        IReadOnlyList<JsonElement> page;

        // A node may not know yet of what was just appended.
        do
        {
            page = await ReadAsync($"after={(events.Count == 0 ? "0" : CursorOf(events[^1]))}");
            events.AddRange(page);
        }
        while (page.Count > 0 || (_newest is not null && !events.Exists(e => CursorOf(e) == _newest)));

        return events;
    }

    /// <summary>The next events of the stream, at most a page of them.</summary>
    /// <param name="query">From where (PROTOCOL.md, section 2).</param>
    public async Task<IReadOnlyList<JsonElement>> ReadAsync(string query)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(service, $"/v1/events?{query}"));
        request.Headers.Authorization = Bearer(Token);
        using var response = await Http.SendAsync(request);
        response.EnsureSuccessStatusCode();
        return [.. (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("events").EnumerateArray()];
    }

    /// <summary>The tab's handlers got every committed event behind the first <paramref name="skipped"/>, each once and in order.</summary>
    public async Task AllCameOnceAsync(Tab tab, int skipped = 0)
    {
        // What comes twice comes before this one.
        await AppendAsync(1);
        var committed = (await EventsAsync()).Skip(skipped)
            .Select(e => $"{CursorOf(e)} {e.GetProperty("id").GetString()}").ToList();
        await tab.GotAsync(committed.Count);
        Assert.Equal(committed, await tab.RecordedAsync("got"));
        Assert.Empty(tab.ScriptErrors);
    }

    private async Task AppendAsync(IEnumerable<object> events)
    {
        var all = events.ToList();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(service, "/v1/events"))
        {
            Content = JsonContent.Create(new { user = User, events = all }),
        };
        request.Headers.Authorization = Bearer(TokenFor(TimeSpan.FromMinutes(1), "events:append"));
        using var response = await Http.SendAsync(request);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        _newest = CursorOf((await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("events")[all.Count - 1]);
    }

    private static string CursorOf(JsonElement e) => e.GetProperty("cursor").GetString()!;

    private static AuthenticationHeaderValue Bearer(string token) => new("Bearer", token);

    private object Message(int sequence) => _talk.Event("agent_message", sequence, new { text = $"{sequence} – größer ✓", delta = false });
}
