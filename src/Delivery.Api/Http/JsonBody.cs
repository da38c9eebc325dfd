using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http.Features;

namespace Pipeline.Delivery.Api;

/// <summary>Reads a request's JSON body whole and strictly: size, UTF-8, syntax, no name twice.</summary>
internal static class JsonBody
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <exception cref="RejectedRequestException">It is not to be had: 400, 413 or 415.</exception>
    public static async Task<JsonDocument> ReadAsync(HttpContext context, int limit)
    {
        if (!context.Request.HasJsonContentType())
        {
            throw new RejectedRequestException(Problem.UnsupportedMediaType(context.Request.ContentType));
        }

        return Parse(await ReadBytesAsync(context, limit));
    }

    private static async Task<ReadOnlyMemory<byte>> ReadBytesAsync(HttpContext context, int limit)
    {
        if (context.Request.ContentLength > limit)
        {
            throw new RejectedRequestException(Problem.TooLarge("body", context.Request.ContentLength, limit));
        }

        // The limit here says more than the server's own, which may be lower.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } feature)
        {
            feature.MaxRequestBodySize = null;
        }

        var buffer = new ArrayBufferWriter<byte>((int)(context.Request.ContentLength ?? 4096) + 1);
        int read;
        while ((read = await context.Request.Body.ReadAsync(buffer.GetMemory(), context.RequestAborted)) > 0)
        {
            buffer.Advance(read);
            if (buffer.WrittenCount > limit)
            {
                throw new RejectedRequestException(Problem.TooLarge("body", null, limit));
            }
        }

        return buffer.WrittenMemory;
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> bytes)
    {
        if (!Utf8.IsValid(bytes.Span))
        {
            throw Rejected("is no valid UTF-8; encode the JSON as UTF-8");
        }

        try
        {
            return JsonDocument.Parse(bytes, Strict);
        }
        catch (JsonException exception)
        {
            throw Rejected($"is no valid JSON: {exception.Message}");
        }
        catch (InvalidOperationException)
        {
            throw Rejected("has a property name with an unpaired surrogate; use valid Unicode");
        }
    }

    private static RejectedRequestException Rejected(string problem) =>
        new(Problem.BadRequest("body", $"body {problem}"));
}
