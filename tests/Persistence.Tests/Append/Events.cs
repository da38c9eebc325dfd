using System.Text;
using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

/// <summary>Events of the user alice, in thread t-1 and run r-1 where nothing else is said.</summary>
public static class Events
{
    public static AgentStarted Started(string run = "r-1", int? lease = null) =>
        Of(new AgentStarted { Agent = "demo", Lease = lease }, run);

    public static AgentThinking Thinking(string text = "hm", string run = "r-1") => Of(new AgentThinking { Text = text }, run);

    public static AgentCompleted Completed(string run = "r-1") => Of(new AgentCompleted { Result = "done" }, run);

    public static T Of<T>(T @event, string run = "r-1") where T : AgentEvent =>
        @event with { Tenant = "default", User = "alice", Thread = "t-1", Run = run };

    public static T By<T>(this T @event, string user) where T : AgentEvent => @event with { User = user };

    public static string Text(this LogEvent @event) => Encoding.UTF8.GetString(@event.Body.Span);

    public static JsonElement Json(this LogEvent @event) => JsonElement.Parse(@event.Body.Span);
}
