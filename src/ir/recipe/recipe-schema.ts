/**
 * The JSON form of a recipe. `npm run docs` publishes it as grammar/recipe.schema.json. What the checker always writes
 * and a person may leave out (spans, lines, defaults) is optional.
 */
import { families, properties } from './check-require.ts';
import { clauseNames } from './recipe.ts';
import { subjects } from './subjects.ts';

const span = {
	type: 'object',
	description: 'A piece of the text the recipe was read from: offsets in UTF-16 units, the end excluded.',
	properties: {
		start: { type: 'integer', minimum: 0 },
		end: { type: 'integer', minimum: 0 },
		file: { type: 'string', description: 'The imported file that it is in; absent in the recipe itself.' },
	},
	required: ['start', 'end'],
	additionalProperties: false,
} as const;

const ref = (name: string): { readonly $ref: string } => ({ $ref: `#/definitions/${name}` });
const share = { type: 'number', minimum: 0, maximum: 1 };
const whole = (minimum: number): object => ({ type: 'integer', minimum });
const name = { type: 'string', minLength: 1 };
const list = (items: object, minItems = 0): object => ({ type: 'array', items, minItems });

/** One shape of a union, told apart by its `kind`. */
const shape = (kind: string | readonly string[], properties: object, optional: object = {}): object => ({
	type: 'object',
	properties: {
		kind: typeof kind === 'string' ? { const: kind } : { enum: kind },
		...properties,
		...optional,
	},
	required: ['kind', ...Object.keys(properties)],
	additionalProperties: false,
});
const union = (description: string, ...shapes: readonly object[]): object => ({
	description,
	type: 'object',
	discriminator: { propertyName: 'kind' },
	required: ['kind'],
	oneOf: shapes,
});

const range = {
	type: 'object',
	description:
		'Positions from `from` up to but without `to`, with it when `inclusive`; absent ends are the first and the last.',
	properties: { from: ref('bound'), to: ref('bound'), inclusive: { type: 'boolean' }, step: whole(1) },
	additionalProperties: false,
};
const bound = {
	type: 'object',
	description: 'An index from 0, negative ones from the end; or a share of what there is, 0 to 100.',
	properties: { index: { type: 'integer' }, percent: { type: 'number', minimum: 0, maximum: 100 } },
	minProperties: 1,
	maxProperties: 1,
	additionalProperties: false,
};
const amount = union(
	'How many units go, or which.',
	shape('remove-share', { share }),
	shape('remove-count', { count: whole(0) }),
	shape('keep-share', { share }),
	shape('keep-count', { count: whole(0) }),
	shape('set', { ranges: list(ref('range'), 1) }),
	shape('rank', { rank: whole(1) }),
	shape(['energy', 'ratio'], { share }),
	shape('auto', {}),
	shape('keep-set', { ranges: list(ref('range'), 1) }),
	shape('schedule', { shares: list(share, 1) }),
	shape('keep-file', { path: name }),
	shape('keep-seen', { times: whole(1), path: name }),
	shape('keep-word', { word: name }),
	shape('pattern', { keep: whole(1), of: whole(2) }),
);
const comparison = { enum: ['<', '<=', '>', '>=', '==', '!='] };
const predicate = union(
	'A condition over the fields of a unit.',
	shape(['and', 'or'], { left: ref('predicate'), right: ref('predicate') }),
	shape('not', { operand: ref('predicate') }),
	shape('compare', { op: comparison, left: ref('term'), right: ref('term') }),
	shape('matches', { glob: { type: 'string' } }),
);
const term = union(
	'A number of a unit: a constant, a field, a metric in raw units, or arithmetic on these.',
	shape('number', { value: { type: 'number' } }),
	shape('field', { name }),
	shape('arithmetic', { op: { enum: ['+', '-', '*', '/'] }, left: ref('term'), right: ref('term') }),
	shape('negate', { operand: ref('term') }),
);
const stack = { enum: ['encoder', 'decoder'] };
const place = union(
	'Where a statement looks; several are a union.',
	shape('layers', { ranges: list(ref('range'), 1) }, { stack, span: ref('span') }),
	shape('stack', { stack }, { span: ref('span') }),
	shape(['cross-attention', 'last-attention'], {}, { span: ref('span') }),
	shape('glob', { glob: { type: 'string' } }, { span: ref('span') }),
);
const step = {
	type: 'object',
	description: 'One technique on one target.',
	properties: {
		text: { type: 'string', description: 'The statement in canonical form.' },
		...{ technique: name, verb: name, target: name },
		only: { ...name, description: 'A half of the layers: `attention` or `ffn`.' },
		at: { ...name, description: 'A place that the technique names, as `output`.' },
		with: { ...name, description: 'The way a technique does it, as `mean`.' },
		without: { ...list(name), description: 'What the technique leaves undone, as `compensation`.' },
		amount: ref('amount'),
		by: { ...name, description: 'A metric; absent means the default of the technique.' },
		globally: {
			type: 'boolean',
			default: false,
			description: 'Units are ranked across layers, not layer by layer.',
		},
		align: { ...whole(1), description: 'Kept counts go to multiples of this.' },
		min: { ...whole(0), default: 1, description: 'Units that must stay in each group.' },
		where: ref('predicate'),
		in: { ...list(ref('place')), description: 'Where the statement looks.' },
		except: { ...list(ref('place')), description: 'Places that are left out.' },
		across: { ...list(ref('place')), description: 'The layers that come to share.' },
		after: { ...list(ref('place')), description: 'Layers that are complete where it stands.' },
		when: ref('predicate'),
		fit: {
			type: 'object',
			description: 'Data that what is added is fitted to.',
			properties: { path: name, take: whole(1) },
			required: ['path'],
			additionalProperties: false,
		},
		until: { ...list(ref('goal')), description: 'Costs to reach, all of them.' },
		while: { ...list(ref('goal')), description: 'Quality to keep, all of it.' },
		mayChange: { ...list(name), description: 'Inputs and outputs whose shape or meaning may change.' },
		span: ref('span'),
		spans: {
			type: 'object',
			properties: Object.fromEntries(clauseNames.map((clause) => [clause, ref('span')])),
			additionalProperties: false,
		},
		line: whole(1),
	},
	required: ['technique', 'verb'],
	additionalProperties: false,
};
const measured = {
	subject: { enum: Object.keys(subjects) },
	op: comparison,
	value: { type: 'number' },
	unit: { enum: ['share', 'bytes', 'count', 'ms', 'plain'] },
	span: ref('span'),
};
const goal = {
	type: 'object',
	description: 'What a statement works towards, or must not lose.',
	properties: measured,
	required: ['subject', 'op', 'value', 'unit'],
	additionalProperties: false,
};
const requirement = {
	type: 'object',
	description: 'What a model must be for the recipe to apply.',
	properties: {
		text: { type: 'string' },
		family: { enum: Object.keys(families) },
		conditions: list({
			type: 'object',
			properties: { property: { enum: Object.keys(properties) }, op: comparison, value: { type: 'number' } },
			required: ['property', 'op', 'value'],
			additionalProperties: false,
		}),
		span: ref('span'),
	},
	minProperties: 1,
	additionalProperties: false,
};
const expectation = {
	type: 'object',
	description: 'A promise on the result.',
	properties: { text: { type: 'string' }, ...measured },
	required: ['subject', 'op', 'value', 'unit'],
	additionalProperties: false,
};
const input = {
	type: 'object',
	description: 'Sizes for the dimensions of an input.',
	properties: { name, dims: list(whole(1), 1), span: ref('span') },
	required: ['name', 'dims'],
	additionalProperties: false,
};
const data = {
	path: { type: 'string', description: 'A file or a folder (docs/data.md).' },
	take: { ...whole(1), description: 'How many examples are read.' },
	tokens: { ...whole(1), description: 'How long each text may be, in tokens.' },
	seed: { ...whole(0), description: 'Which examples are taken.' },
	span: ref('span'),
};
const calibrate = {
	type: 'object',
	description: 'Inputs that scores are measured on.',
	properties: data,
	required: ['path'],
	additionalProperties: false,
};
const evaluate = {
	type: 'object',
	description: 'Labelled data that results are judged on.',
	properties: { ...data, metric: name },
	required: ['path'],
	additionalProperties: false,
};

export const recipeSchema = {
	$schema: 'http://json-schema.org/draft-07/schema#',
	$id: 'https://prunec.dev/recipe-1.schema.json',
	title: 'A prunec recipe',
	type: 'object',
	properties: {
		schema: { const: 'prunec/recipe@1' },
		name: { ...name, description: 'The name of the recipe.' },
		version: { ...name, description: 'As `1.2.0`.' },
		description: { type: 'string', description: 'A sentence about the recipe.' },
		params: {
			type: 'object',
			description: 'Values of parameters, which stand in their places already.',
			additionalProperties: { type: ['number', 'string'] },
		},
		inputs: { ...list(ref('input')), description: 'Sizes for dynamic dimensions, by input.' },
		calibrate: ref('calibrate'),
		evaluate: ref('evaluate'),
		require: { ...list(ref('requirement')), description: 'What a model must be for the recipe to apply.' },
		protect: {
			...list({ type: 'string' }),
			description: 'Globs over names of nodes and weights that no statement touches.',
		},
		mayChange: { ...list(name), description: 'Inputs and outputs whose shape or meaning may change.' },
		steps: { ...list(ref('step')), description: 'The statements that transform, in order.' },
		expectations: {
			...list(ref('expectation')),
			description: 'Promises of the result: nothing is written when one does not hold.',
		},
	},
	required: ['schema', 'steps'],
	additionalProperties: false,
	definitions: {
		...{ amount, bound, calibrate, evaluate, expectation, goal, input, place, predicate, range, requirement },
		...{ span, step, term },
	},
};
