using Pipeline.Agents.Worker;

namespace Pipeline.Worker.Tests;

public sealed class DocumentSearchTests
{
    private static readonly DocumentSearch Kitchen = new([
        new Section("Bread", "Flour and water. Knead the dough for ten minutes. Bake it hot."),
        new Section("Soup", "Water and leeks. Boil the water. Water again."),
        new Section("Water", "Comes from the tap."),
    ]);

    [Theory]
    [InlineData("What is a cursor?", "Reading: Cursors")]
    [InlineData("How does the outbox work?", "Writing: The transactional outbox")]
    [InlineData("what happens when a worker dies", "Runs: When a worker dies")]
    [InlineData("Explain agent_started and the other event types", "Events: Event types")]
    [InlineData("what does the relay publish", "Writing: The relay")]
    [InlineData("RabbitMQ is down, what now?", "Faults: When RabbitMQ is down")]
    public void A_question_about_the_pipeline_finds_its_section(string question, string title) =>
        Assert.Equal(title, DocumentSearch.Bundled.Search(question, 3)[0].Title);

    [Fact]
    public void A_word_in_the_title_counts_more_than_many_in_the_text() =>
        Assert.Equal(["Water", "Soup", "Bread"], Kitchen.Search("water", 3).Select(hit => hit.Title));

    [Fact]
    public void The_snippet_starts_at_the_sentence_that_fits_best() =>
        Assert.Equal("Knead the dough for ten minutes. Bake it hot.", Kitchen.Search("kneading minutes dough", 1)[0].Snippet);

    [Fact]
    public void Case_and_plural_make_no_difference() =>
        Assert.Equal("Soup", Assert.Single(Kitchen.Search("LEEK", 3)).Title);

    [Theory]
    [InlineData("")]
    [InlineData("the of and")]
    [InlineData("quetzalcoatl")]
    [InlineData("!?")]
    public void A_question_without_a_known_word_finds_nothing(string question) =>
        Assert.Empty(Kitchen.Search(question, 3));

    [Fact]
    public void Every_bundled_section_has_a_title_and_a_text()
    {
        var sections = DocumentSearch.Bundled.Sections.ToList();
        Assert.True(sections.Count >= 20, $"{sections.Count} sections");
        Assert.All(sections, section => Assert.Matches(@"^\w+: .+", section.Title));
        Assert.All(sections, section => Assert.True(section.Text.Length > 40, section.Title));
    }
}
