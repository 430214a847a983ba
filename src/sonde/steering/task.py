"""What steering is tried on: a trait, in words, and the questions that are put to the model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint
from sonde.data.examples import Example
from sonde.data.traits import Trait

if TYPE_CHECKING:
    from sonde.models.model import Model
    from sonde.models.render import RenderSettings

# How the plain prompt asks for what a vector is to bring about.
INSTRUCTION = "Answer in a way that shows this clearly: {definition}"
FRAME = "{question}"


@dataclass(frozen=True, slots=True)
class SteeringTask:
    """A trait and the questions that steering is tried on.

    ``instruction`` is what the plain prompt says before each question; by default it is made of the
    definition. ``frame`` is what a question is put into, ``{question}`` as it is by default.
    ``groups`` name questions that belong together, which are never on both sides of a fold; by
    default each is its own.
    """

    trait: str
    definition: str
    questions: tuple[str, ...]
    instruction: str = ""
    frame: str = FRAME
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.questions or not all(question.strip() for question in self.questions):
            raise SondeError(
                f"The trait {self.trait} has no questions, or an empty one.",
                fix="Write a list of questions into its steering.json.",
            )
        repeated = [one for one in self.questions if self.questions.count(one) > 1]
        if repeated:
            raise SondeError(
                f"The question {repeated[0]!r} stands twice among those of {self.trait}.",
                fix="Leave one out: the same question does not count as two.",
            )
        if self.groups and len(self.groups) != len(self.questions):
            raise SondeError(
                f"There are {len(self.groups)} groups and {len(self.questions)} questions.",
                fix="Give each question its group, or none.",
            )
        if "{question}" not in self.frame:
            raise SondeError(
                f"The frame {self.frame!r} has no place for the question.",
                fix="Write {question} where it belongs.",
            )

    @staticmethod
    def of(trait: Trait, *, instruction: str = "") -> "SteeringTask":
        """Take the questions and the definition of a trait.

        Raises:
            SondeError: it has no questions.
        """
        return SteeringTask(trait.name, trait.definition, trait.questions, instruction)

    @property
    def asked_plainly(self) -> str:
        """The words of the plain prompt; empty where neither they nor a definition are given."""
        if self.instruction or not self.definition:
            return self.instruction
        return INSTRUCTION.format(definition=self.definition)

    @property
    def units(self) -> tuple[str, ...]:
        """The independent unit of each question: its group, or the question."""
        return self.groups or self.questions

    @property
    def key(self) -> str:
        """16 hex digits that change with anything that answers or judgements hang on."""
        return fingerprint(
            [self.trait, self.definition, self.questions, self.asked_plainly, self.frame]
        )

    def prompts(
        self, model: "Model", instruction: str = "", render: "RenderSettings | None" = None
    ) -> list[tuple[int, ...]]:
        """Return the token ids of each question, after an instruction where there is one.

        The instruction stands in the user's own message: not every template has another place.

        Raises:
            SondeError: a question does not fit the model's context.
        """
        before = f"{instruction}\n\n" if instruction else ""
        return [
            tuple(
                model.render(
                    Example(
                        id=str(number),
                        prompt=before + self.frame.replace("{question}", question),
                        row=f"question {number + 1} of {self.trait}",
                    ),
                    render,
                ).ids.tolist()
            )
            for number, question in enumerate(self.questions)
        ]
