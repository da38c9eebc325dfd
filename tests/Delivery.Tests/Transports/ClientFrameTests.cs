using System.Net.WebSockets;
using System.Text;
using Pipeline.Contracts;
using Pipeline.Delivery.Api;

namespace Pipeline.Delivery.Tests;

/// <summary>PROTOCOL.md, "Client frames".</summary>
public sealed class ClientFrameTests(SharedNode shared) : IClassFixture<SharedNode>
{
    [Theory]
    [InlineData("{\"type\":\"surprise\"}")]
    [InlineData("{\"type\":\"ack\",\"cursor\":\"zzzzzz_7\",\"more\":[1]}")]
    [InlineData(" {\"type\":\"ack\",\"cursor\":\"0\"} \n")]
    public async Task Unknown_types_and_fields_are_ignored(string frame)
    {
        await using var screen = await Screen.OpenAsync(shared.Node, Tokens.Of($"unknown-{frame.Length}"), "client=c");
        await screen.FrameAsync(FrameTypes.Ready);
        await screen.SendAsync(frame);
        var cursors = await new Appending(shared.Node, $"unknown-{frame.Length}").AppendAsync();
        Assert.Equal(cursors, (await screen.EventsAsync(1)).Select(e => (string)e["cursor"]!));
    }

    [Fact]
    public async Task A_frame_may_come_in_fragments_and_have_16_KB()
    {
        await using var screen = await Screen.OpenAsync(shared.Node, Tokens.Of("brief"));
        await screen.FrameAsync(FrameTypes.Ready);
        var auth = $"{{\"type\":\"auth\",\"token\":\"{Tokens.Of("somebody-else")}\"}}";
        await screen.SendAsync(" ".PadRight(ClientFrame.MaxBytes - "{\"type\":\"x\"}".Length) + "{\"type\":\"x\"}");
        await screen.SendFragmentsAsync(auth.PadRight(ClientFrame.MaxBytes), fragments: 5);

        // It was understood: it holds another user's token.
        Assert.Equal(CloseCodes.Forbidden, await screen.ClosedAsync());
    }

    [Theory]
    [InlineData("nonsense", CloseCodes.InvalidPayload)]
    [InlineData("", CloseCodes.InvalidPayload)]
    [InlineData("[]", CloseCodes.InvalidPayload)]
    [InlineData("{} {}", CloseCodes.InvalidPayload)]
    [InlineData("{\"type\":\"ack\",\"cursor\":\"\\ud800\"}", CloseCodes.InvalidPayload)]
    [InlineData("{}", CloseCodes.PolicyViolation)]
    [InlineData("{\"type\":7}", CloseCodes.PolicyViolation)]
    [InlineData("{\"type\":\"ack\"}", CloseCodes.PolicyViolation)]
    [InlineData("{\"type\":\"ack\",\"cursor\":42}", CloseCodes.PolicyViolation)]
    [InlineData("{\"type\":\"ack\",\"cursor\":\"42\"}", CloseCodes.PolicyViolation)]
    [InlineData("{\"type\":\"auth\",\"token\":null}", CloseCodes.PolicyViolation)]
    public void What_is_malformed_or_wrong_closes(string frame, int code) =>
        Assert.Equal(code, ClientFrame.Read(Encoding.UTF8.GetBytes(frame)).Violation?.Code);

    [Fact]
    public async Task The_close_code_reaches_the_client()
    {
        Assert.Equal(CloseCodes.InvalidPayload, await CodeAfterAsync([]));
        Assert.Equal(CloseCodes.InvalidPayload, await CodeAfterAsync("{"u8.ToArray()));
        Assert.Equal(CloseCodes.InvalidPayload, await CodeAfterAsync([.. "{\"type\":\""u8, 0xff, .. "\"}"u8]));
        Assert.Equal(CloseCodes.PolicyViolation, await CodeAfterAsync("{\"type\":\"ack\"}"u8.ToArray()));
        Assert.Equal(CloseCodes.PolicyViolation, await CodeAfterAsync("{}"u8.ToArray(), WebSocketMessageType.Binary));
        Assert.Equal(CloseCodes.TooBig, await CodeAfterAsync(new byte[ClientFrame.MaxBytes + 1].Select(_ => (byte)' ').ToArray()));
    }

    [Fact]
    public async Task An_unwanted_frame_right_behind_the_handshake_ends_the_connection_too()
    {
        using var client = await RawClient.UpgradeAsync(shared.Node, "", "hasty");
        await client.WriteAsync([0x82, 0x82, 0, 0, 0, 0, (byte)'{', (byte)'}']);

        // The close frame's code. Nobody answers it, so that the server ends the connection after two seconds.
        var came = await client.ReadToEndAsync(within: TimeSpan.FromSeconds(8));
        Assert.NotEqual(-1, came.AsSpan().IndexOf([(byte)(CloseCodes.PolicyViolation >> 8), (byte)(CloseCodes.PolicyViolation & 0xff)]));
    }

    private async Task<int> CodeAfterAsync(byte[] frame, WebSocketMessageType type = WebSocketMessageType.Text)
    {
        await using var screen = await Screen.OpenAsync(shared.Node, Tokens.Of("malformed"));
        await screen.FrameAsync(FrameTypes.Ready);
        await screen.SendAsync(frame, type);
        return await screen.ClosedAsync();
    }
}
