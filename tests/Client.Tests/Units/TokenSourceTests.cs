using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;

namespace Pipeline.Client.Tests;

public sealed class TokenSourceTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Queue<Func<string>> _answers = new();
    private int _asked;

    [Fact]
    public async Task A_token_without_an_end_is_asked_for_once()
    {
        using var source = Source("opaque");
        Assert.Equal("opaque", await GetAsync(source));
        _time.Advance(TimeSpan.FromDays(400));
        Assert.Equal("opaque", await GetAsync(source));
        Assert.Equal(1, _asked);
    }

    [Fact]
    public async Task A_refused_token_is_replaced_and_the_refusal_of_a_former_one_is_nothing()
    {
        using var source = Source("first", "second");
        await GetAsync(source);
        source.Refuse("first");
        Assert.Equal("second", await GetAsync(source));
        source.Refuse("first");
        Assert.Equal("second", await GetAsync(source));
    }

    [Theory]
    [InlineData(10, true)]
    [InlineData(11, false)]
    public async Task A_refused_token_was_fresh_for_ten_seconds(int age, bool isFresh)
    {
        using var source = Source("opaque");
        await GetAsync(source);
        _time.Advance(TimeSpan.FromSeconds(age));
        Assert.False(source.Refuse("another"));
        Assert.Equal(isFresh, source.Refuse("opaque"));
        Assert.False(source.Refuse("opaque"));
    }

    [Theory]
    [InlineData(3600, 3540)]
    [InlineData(200, 160)]
    [InlineData(2, 5)]
    public async Task A_token_is_renewed_a_minute_or_a_fifth_of_its_life_before_its_end_whichever_is_later(int life, int renewedAt)
    {
        var first = Jwt(TimeSpan.FromSeconds(life));
        using var source = Source(first, "second");
        await GetAsync(source);
        _time.Advance(TimeSpan.FromSeconds(renewedAt) - TimeSpan.FromMilliseconds(1));
        Assert.Equal(first, await GetAsync(source));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal("second", await GetAsync(source));
    }

    [Fact]
    public async Task A_provider_that_fails_ahead_of_the_end_is_asked_again_five_seconds_later_and_the_token_serves_on()
    {
        var first = Jwt(TimeSpan.FromHours(1));
        using var source = Source(first);
        _answers.Enqueue(() => throw new HttpRequestException("the issuer is away"));
        _answers.Enqueue(() => "second");
        await GetAsync(source);
        _time.Advance(TimeSpan.FromMinutes(59));
        Assert.Equal(first, await GetAsync(source));
        Assert.Equal(first, await GetAsync(source));
        Assert.Equal(2, _asked);
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal("second", await GetAsync(source));
    }

    [Fact]
    public async Task Without_a_token_the_providers_failure_is_the_callers()
    {
        using var source = Source("");
        _answers.Enqueue(() => throw new HttpRequestException("the issuer is away"));
        await Assert.ThrowsAsync<TokenUnavailableException>(() => GetAsync(source));
        await Assert.ThrowsAsync<HttpRequestException>(() => GetAsync(source));
    }

    [Theory]
    [InlineData("opaque")]
    [InlineData("a.b.c")]
    [InlineData("a.bnVsbA.c")]
    [InlineData("a.eyJleHAiOiJzb29uIn0.c")]
    [InlineData("a.eyJleHAiOjFlOTl9.c")]
    public void What_is_no_jwt_or_has_no_end_has_none(string token) => Assert.Null(JwtExpiry.Of(token));

    private TokenSource Source(params string[] tokens)
    {
        foreach (var token in tokens)
        {
            _answers.Enqueue(() => token);
        }

        return new TokenSource(
            _ =>
            {
                _asked++;
                return ValueTask.FromResult(_answers.Dequeue()());
            },
            _time);
    }

    private string Jwt(TimeSpan life)
    {
        var claims = JsonSerializer.SerializeToUtf8Bytes(new { exp = (_time.GetUtcNow() + life).ToUnixTimeSeconds() });
        return $"e30.{System.Buffers.Text.Base64Url.EncodeToString(claims)}.{Encoding.UTF8.GetString("c2ln"u8)}";
    }

    private static Task<string> GetAsync(TokenSource source) => source.GetAsync(TestContext.Current.CancellationToken).AsTask();
}
