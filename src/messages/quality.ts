/** Messages about measuring how good models are. */
import { defineDiagnostic } from '../diagnostic.ts';
import { oneOf } from './nearest.ts';

export const unknownQuality = defineDiagnostic({
	code: 'data/unknown-metric',
	severity: 'error',
	explain: 'What evaluation can measure is in docs/data.md.',
	message: ({ found }: { found: string; known: readonly string[] }) =>
		`there is no metric \`${found}\` to evaluate by`,
	hint: ({ known }) => oneOf(known),
});
export const metricUnfit = defineDiagnostic({
	code: 'data/metric-unfit',
	severity: 'error',
	explain:
		'A metric is for outputs and labels of its kind: classes need a number or a name for each row of scores, texts a dictionary, perplexity the scores of each token.',
	message: ({ metric, model }: { metric: string; model: string }) =>
		`\`${metric}\` cannot be measured on what '${model}' gives out and on the label, if there is one`,
	hint: ({ metric }) => (metric === 'characters' ? 'name the letters with --dictionary' : undefined),
});
export const noQuality = defineDiagnostic({
	code: 'data/nothing-to-measure',
	severity: 'error',
	explain: 'Without a metric by name, one is chosen by the label, if there is one, and by the outputs.',
	message: ({ model }: { model: string }) =>
		`none of the metrics fits what '${model}' gives out and the labels`,
	hint: () => 'name one with --metric to learn what it needs',
});
export const unknownClass = defineDiagnostic({
	code: 'data/unknown-class',
	severity: 'error',
	explain:
		'Names of classes become numbers through `id2label` of the config.json beside the model; without one they are numbered in alphabetical order, which needs every class of the model to occur.',
	message: ({ found, classes, names }: { found?: string; classes: number; names: number }) =>
		found === undefined
			? `the model has ${classes} classes and the labels ${names} names`
			: `the label '${found}' is no class of the model's config.json`,
	hint: () => 'put a config.json with `id2label` beside the model, or use the numbers of the classes',
});
