using Microsoft.Playwright;
using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>axe-core's judgement of a page as it is shown at the moment, light and dark.</summary>
internal static class Accessibility
{
    private static readonly string[] Standards =
        ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

    private static readonly Lazy<string> Axe = new(() => File.ReadAllText(
        Path.Combine(Repository.Root, "tests", "js", "node_modules", "axe-core", "axe.min.js")));

    /// <summary>Fails with each violation and the elements it is about.</summary>
    public static async Task IsAccessibleAsync(this Window window)
    {
        var page = window.Page;
        foreach (var scheme in new[] { ColorScheme.Light, ColorScheme.Dark })
        {
            // Colours that are on their way from one to the other belong to neither.
            await page.EmulateMediaAsync(new() { ColorScheme = scheme, ReducedMotion = ReducedMotion.Reduce });
            await page.EvaluateAsync($"() => {{ if (!globalThis.axe) {{ {Axe.Value} }} }}");
            var violations = await page.EvaluateAsync<string[]>(
                """
                async standards => (await axe.run(document, { runOnly: { type: 'tag', values: standards }, resultTypes: ['violations'] }))
                  .violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`))
                """,
                Standards);
            Assert.True(violations.Length == 0, $"{scheme}: {string.Join('\n', violations)}");
        }
    }
}
