/** The recipe schema as editors get it: with every technique, target and metric by name, and what each means. */
import { recipeSchema } from '../src/ir/recipe/recipe-schema.ts';
import { targetNames, type Vocabulary } from '../src/ir/recipe/vocabulary.ts';

type Words = Readonly<Record<string, string>>;

/** `enumDescriptions` is what the JSON and YAML servers of editors show beside each value; validators pass over it. */
const oneOf = (description: string, words: Words): object => ({
	description,
	enum: Object.keys(words),
	enumDescriptions: Object.values(words),
});

/** The schema with the words of a vocabulary; what it allows is what the checker knows. */
export function publishedSchema({ techniques, metrics, measures }: Vocabulary): object {
	const { definitions } = recipeSchema;
	const summaries = (list: readonly { readonly name: string; readonly summary: string }[]): Words =>
		Object.fromEntries(list.map(({ name, summary }) => [name, summary]));
	const targets = techniques.flatMap((one) => targetNames(one).map((name) => [name, one.summary]));
	const verbs = techniques.map(({ verb }) => {
		const own = techniques.filter((one) => one.verb === verb);
		return [verb, own.map(({ example }) => example).join(' · ')];
	});
	const step = {
		...definitions.step.properties,
		technique: oneOf('What does it, by name.', summaries(techniques)),
		verb: oneOf('The verb of the statement.', Object.fromEntries(verbs) as Words),
		target: oneOf('What the statement works on.', Object.fromEntries(targets) as Words),
		by: oneOf('The metric that ranks the units; absent: the default of the technique.', summaries(metrics)),
	};
	const evaluate = {
		...definitions.evaluate.properties,
		metric: oneOf('What is measured on the labels.', summaries(measures)),
	};
	return {
		...recipeSchema,
		definitions: {
			...definitions,
			step: { ...definitions.step, properties: step },
			evaluate: { ...definitions.evaluate, properties: evaluate },
		},
	};
}
