using System.Net;
using System.Net.WebSockets;
using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Client.Tests;

/// <summary>What an end says about the service, and what about the transport.</summary>
public sealed class EndingTests
{
    [Theory]
    [InlineData(HttpStatusCode.Unauthorized, CloseCodes.Unauthorized)]
    [InlineData(HttpStatusCode.Forbidden, CloseCodes.Forbidden)]
    [InlineData(HttpStatusCode.NotFound, CloseCodes.NotFound)]
    [InlineData(HttpStatusCode.BadRequest, CloseCodes.PolicyViolation)]
    [InlineData(HttpStatusCode.ServiceUnavailable, CloseCodes.Overload)]
    [InlineData(HttpStatusCode.TooManyRequests, CloseCodes.Overload)]
    [InlineData(HttpStatusCode.BadGateway, Ending.Lost)]
    [InlineData(HttpStatusCode.GatewayTimeout, Ending.Lost)]
    [InlineData(HttpStatusCode.OK, Ending.Lost)]
    public void An_answer_over_http_has_the_meaning_of_a_close_code(HttpStatusCode status, int code) =>
        Assert.Equal(code, Ending.OfStatus(status, detail: null, retryAfter: null, isUpgrade: false).Code);

    [Theory]
    [InlineData(HttpStatusCode.Forbidden)]
    [InlineData(HttpStatusCode.NotFound)]
    [InlineData(HttpStatusCode.BadRequest)]
    [InlineData(HttpStatusCode.UpgradeRequired)]
    public void A_refused_upgrade_may_be_a_proxys_and_is_held_against_the_transport(HttpStatusCode status)
    {
        var ending = Ending.OfStatus(status, detail: null, retryAfter: null, isUpgrade: true);
        Assert.Equal((Ending.Lost, true), (ending.Code, ending.IsTheTransports));
    }

    [Fact]
    public void A_refused_token_is_the_services_word_before_an_upgrade_too() =>
        Assert.Equal(CloseCodes.Unauthorized, Ending.OfStatus(HttpStatusCode.Unauthorized, null, null, isUpgrade: true).Code);

    [Fact]
    public void A_service_that_is_away_or_not_reached_is_no_fault_of_the_transport()
    {
        Assert.False(Ending.OfStatus(HttpStatusCode.BadGateway, null, null, isUpgrade: true).IsTheTransports);
        Assert.False(Ending.OfStatus(HttpStatusCode.ServiceUnavailable, null, null, isUpgrade: true).IsTheTransports);
        Assert.False(Ending.Of(new HttpRequestException(HttpRequestError.ConnectionError))!.IsTheTransports);
        Assert.False(Ending.Of(new WebSocketException("", new HttpRequestException(HttpRequestError.NameResolutionError)))!.IsTheTransports);
        Assert.False(Ending.Of(new OperationCanceledException("", new TimeoutException()))!.IsTheTransports);
    }

    [Fact]
    public void What_breaks_in_the_middle_is_held_against_the_transport()
    {
        Assert.True(Ending.Of(new WebSocketException(WebSocketError.NotAWebSocket))!.IsTheTransports);
        Assert.True(Ending.Of(new HttpRequestException(HttpRequestError.ResponseEnded))!.IsTheTransports);
        Assert.True(Ending.Of(new IOException())!.IsTheTransports);
        Assert.True(Ending.Of(new JsonException())!.IsTheTransports);
    }

    [Fact]
    public void What_is_no_matter_of_connections_is_no_ending()
    {
        Assert.Null(Ending.Of(new InvalidOperationException()));
        Assert.Null(Ending.Of(new OperationCanceledException()));
    }
}
