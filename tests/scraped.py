"""What a server says of itself at `/metrics`."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.serving import Reply, Server


class Scraped:
    """One reading of all metrics."""

    def __init__(self, reply: Reply) -> None:
        assert reply.status == 200, reply.text
        families = list(text_string_to_metric_families(reply.text))
        self.samples = [sample for family in families for sample in family.samples]

    @property
    def names(self) -> set[str]:
        """What there is a sample of."""
        return {sample.name for sample in self.samples}

    def value(self, name: str, **labels: str) -> float:
        """Give the sum of what has a name, and these labels among its own."""
        return sum(
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def labels_of(self, name: str) -> set[str]:
        """Give the labels that something has."""
        return {label for sample in self.samples if sample.name == name for label in sample.labels}

    def values_of(self, name: str, label: str) -> set[str]:
        """Give the values that a label has."""
        return {sample.labels[label] for sample in self.samples if sample.name == name}


def scrape(server: Server) -> Scraped:
    """Read all metrics."""
    return Scraped(server.call("metrics"))
