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
    private readonly string _run = $"run-{Guid.CreateVersion7():n}";
    private int _appended;

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
    public async Task AppendAsync(int events)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(service, "/v1/events"))
        {
            Content = JsonContent.Create(new { user = User, events = Enumerable.Range(_appended + 1, events).Select(Event) }),
        };
        request.Headers.Authorization = Bearer(TokenFor(TimeSpan.FromMinutes(1), "events:append"));
        using var response = await Http.SendAsync(request);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        _appended += events;
    }

    /// <summary>Every committed event, in order: the truth that screens are held against.</summary>
    public async Task<IReadOnlyList<JsonElement>> EventsAsync()
    {
        var events = new List<JsonElement>();
        var (cursor, resume) = ("0", "");

        // A node may not know yet of what was just appended.
        while (resume != "live" || events.Count < _appended)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(service, $"/v1/events?after={cursor}&wait=1"));
            request.Headers.Authorization = Bearer(Token);
            using var response = await Http.SendAsync(request);
            response.EnsureSuccessStatusCode();
            var page = await response.Content.ReadFromJsonAsync<JsonElement>();
            events.AddRange(page.GetProperty("events").EnumerateArray());
            (cursor, resume) = (page.GetProperty("cursor").GetString()!, page.GetProperty("resume").GetString()!);
        }

        return events;
    }

    /// <summary>The tab's handlers got every committed event behind the first <paramref name="skipped"/>, each once and in order.</summary>
    public async Task AllCameOnceAsync(Tab tab, int skipped = 0)
    {
        // What comes twice comes before this one.
        await AppendAsync(1);
        var committed = (await EventsAsync()).Skip(skipped)
            .Select(e => $"{e.GetProperty("cursor").GetString()} {e.GetProperty("id").GetString()}").ToList();
        await tab.GotAsync(committed.Count);
        Assert.Equal(committed, await tab.RecordedAsync("got"));
        Assert.Empty(tab.ScriptErrors);
    }

    private static AuthenticationHeaderValue Bearer(string token) => new("Bearer", token);

    private object Event(int sequence) => new
    {
        id = Guid.CreateVersion7(),
        type = "agent_message",
        thread = "main",
        run = _run,
        sequence,
        data = new { text = $"{sequence} – größer ✓", delta = false },
    };
}
