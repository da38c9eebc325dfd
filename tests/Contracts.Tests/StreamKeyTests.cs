using CsCheck;

namespace Pipeline.Contracts.Tests;

public sealed class StreamKeyTests
{
    private static readonly Gen<string> Ids = Gen.String["ab:17é/"].Where(text => text.Length is > 0 and < 40);

    [Fact]
    public void A_key_gives_back_the_tenant_and_user_that_made_it() =>
        Gen.Select(Ids, Ids).Sample((tenant, user) =>
            StreamKey.Parse(StreamKey.Of(tenant, user).Value).Split() == (tenant, user));

    [Theory]
    [InlineData("")]
    [InlineData("tenant\n")]
    [InlineData("nul\0")]
    public void An_id_that_is_empty_or_holds_control_characters_is_refused(string id) =>
        Assert.Throws<ArgumentException>(() => StreamKey.Of(id, "user"));

    [Fact]
    public void No_tenant_and_user_make_the_reserved_key_or_one_that_counts_as_reserved()
    {
        Assert.True(StreamKey.Canary.IsReserved);
        Assert.Equal(StreamKey.Canary, StreamKey.Parse(StreamKey.Canary.Value));
        var (tenant, user) = StreamKey.Canary.Split();
        Assert.NotEqual(StreamKey.Canary, StreamKey.Of(tenant, user));
        Gen.Select(Ids, Ids).Sample((tenant, user) => !StreamKey.Of(tenant, user).IsReserved);
        Assert.DoesNotContain(((string[])["0", "06", "06:system", "0:", "system"]).Select(id => StreamKey.Of(id, "canary")), key => key.IsReserved);
    }

    [Fact]
    public void An_id_is_measured_in_bytes()
    {
        Assert.Null(Limits.DescribeInvalidId(new string('x', 128)));
        Assert.NotNull(Limits.DescribeInvalidId(new string('x', 129)));
        Assert.Null(Limits.DescribeInvalidId(new string('é', 64)));
        Assert.NotNull(Limits.DescribeInvalidId(new string('é', 65)));
        Assert.NotNull(Limits.DescribeInvalidId("lone \ud800 surrogate"));
    }
}
