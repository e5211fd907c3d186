/** Messages about what can and cannot be done to a model. */
import { defineDiagnostic } from '../diagnostic.ts';

type EmptyRange = {
	readonly what: string;
	readonly count: number;
	/** The range in words: `layers 6 to 11`. */
	readonly reading: string | undefined;
	/** Of the first layer and the last. */
	readonly names: readonly string[];
};

export const emptyRange = defineDiagnostic({
	code: 'plan/empty-range',
	severity: 'error',
	explain:
		'A scope must select something. Layers count from 0 and ranges are half-open: `layers 6..12` are the layers 6 to 11.',
	message: ({ what, count }: EmptyRange) =>
		`this model has ${count} layer${count === 1 ? '' : 's'}, so \`${what}\` selects none`,
	label: ({ reading }) => reading,
	notes: ({ count, names: [first, last] }) => {
		if (count === 0) return [];
		const named = first !== undefined && last !== undefined ? ` (${first} … ${last})` : '';
		return [`the model's layers are 0 to ${count - 1}${named}`];
	},
	hint: ({ count }) =>
		count === 0
			? '`prunec inspect` shows what was found'
			: `\`layers ${Math.floor(count / 2)}..${count}\` is its upper half; \`layers 50%..\` is the upper half of any model`,
});
export const notPlan = defineDiagnostic({
	code: 'plan/file',
	severity: 'error',
	explain:
		'`prunec apply` carries out a plan as `prunec plan -o` wrote it: the file holds a hash of itself and of the tensors beside it, so that what was reviewed is what is done.',
	message: ({ path, why }: { path: string; why: string }) => `'${path}' cannot be carried out: ${why}`,
	hint: () => '`prunec plan recipe.prune model.onnx -o plan.json` writes it anew',
});
type Unit = { readonly index: number; readonly what: string; readonly where: string };

export const alreadyRemoved = defineDiagnostic({
	code: 'plan/already-removed',
	severity: 'error',
	explain:
		'Numbers refer to the model as it was given, throughout the recipe. A statement before this one removed what it names.',
	message: ({ index, what, where }: Unit) => `${what} ${index}${where} is removed already`,
	hint: () => 'leave it out of the list; a range may run over it',
});
export const uncounted = defineDiagnostic({
	code: 'plan/uncounted',
	severity: 'note',
	explain:
		'Multiply–adds follow from sizes. What stands behind values whose sizes cannot be told (sequences, loops that end by a condition) is left out of them, so that figures before and after may not compare.',
	message: ({ before, after }: { before: number; after: number }) =>
		`multiply–adds leave out operators whose sizes cannot be told: ${before} before, ${after} after`,
	hint: () => 'give sizes of the inputs with --shape; behind loops and sequences `unroll loops` may help',
});
export const rangeOverRemoved = defineDiagnostic({
	code: 'plan/range-over-removed',
	severity: 'note',
	explain:
		'Numbers refer to the model as it was given. A range may run over what an earlier statement removed.',
	message: ({ gone, what, where }: { gone: readonly number[]; what: string; where: string }) =>
		`the range runs over ${what}${gone.length === 1 ? '' : 's'} ${gone.join(', ')}${where}, removed before`,
});
export const noSuchUnit = defineDiagnostic({
	code: 'plan/no-such-unit',
	severity: 'error',
	explain: 'A list or range names a unit that the structure does not have. Units count from 0.',
	message: ({ index, what, where, count }: Unit & { count: number }) =>
		`there is no ${what} ${index}${where}: there are ${count}, from 0`,
	hint: ({ what, count }) => (count > 0 ? `the last is ${what} ${count - 1}, or \`-1\`` : undefined),
});
export const pinned = defineDiagnostic({
	code: 'plan/pinned-axis',
	severity: 'warning',
	explain:
		'An operator on the way mixes all positions of the axis, has a fixed meaning for each, is unknown, or the axis ends at a model input or output. Nothing of it can go without changing what the model computes.',
	message: ({ what, why }: { what: string; why: string }) => `${what} cannot be pruned: ${why}`,
});
export const nothingSelected = defineDiagnostic({
	code: 'plan/nothing-selected',
	severity: 'warning',
	explain: 'No candidate meets the condition, so this statement changes nothing.',
	message: ({ what, nearest }: { what: string; nearest: string }) =>
		`no ${what} meets the condition${nearest}`,
});
export const everythingSelected = defineDiagnostic({
	code: 'plan/everything-selected',
	severity: 'error',
	explain: 'A structure must keep at least one unit: an operator over nothing has no result.',
	message: ({ what, count }: { what: string; count: number }) => `this would remove all ${count} ${what}`,
	hint: () => '`min 0` lets the whole structure go; `prune layers` removes whole layers and halves of them',
});
export const cannotEmpty = defineDiagnostic({
	code: 'plan/cannot-empty',
	severity: 'error',
	explain:
		'With `min 0` a structure may go as a whole: what reads it becomes the constant that it has left. That is possible where one product reads the units and is added to something of its own shape, as heads and feed-forward neurons of residual layers are.',
	message: ({ what, why }: { what: string; why: string }) => `${what} cannot all go: ${why}`,
	hint: () => 'leave `min 0` out, or keep one; `prune layers … only attention` removes a half of a layer',
});
export const alignedAway = defineDiagnostic({
	code: 'plan/aligned-away',
	severity: 'warning',
	explain: 'Kept counts go to multiples that onnxruntime computes fast; here that leaves nothing to remove.',
	message: ({ what, align }: { what: readonly string[]; align: number; fewest: number | undefined }) =>
		`aligning to ${align} leaves nothing to remove of ${what.slice(0, 3).join(', ')}${what.length > 3 ? ` and of ${what.length - 3} more` : ''}`,
	hint: ({ what, fewest }) =>
		fewest === undefined
			? '`align 1` turns alignment off'
			: `the fewest that can go${what.length > 1 ? ' of one of them' : ''} are ${fewest}; \`align 1\` turns alignment off`,
});
export const noGain = defineDiagnostic({
	code: 'plan/rank-saves-nothing',
	severity: 'warning',
	explain:
		'Two factors of rank r hold r·(m + n) numbers; they are smaller than an m × n matrix only below m·n/(m + n).',
	message: ({ where, rank }: { where: string; rank: number; most: number }) =>
		`rank ${rank} saves nothing for ${where}`,
	hint: ({ most }) => (most < 1 ? undefined : `ranks up to ${most} make it smaller`),
});
export const needsData = defineDiagnostic({
	code: 'plan/needs-data',
	severity: 'error',
	explain:
		'A metric is measured by running the model, which some commands do not do; what is fitted is fitted to what comes up in use, which inputs that prunec makes up do not show.',
	message: ({ metric, fitted }: { metric: string; fitted?: boolean }) =>
		`'${metric}' must be measured on ${fitted === true ? 'calibration data' : 'inputs'}`,
	hint: ({ fitted }) =>
		fitted === true
			? 'give inputs of yours: `--data calib.jsonl`, or `calibrate with "calib.jsonl"` in the recipe'
			: 'use `by l2` where units have weights, or a command that runs the model',
});
export const noReader = defineDiagnostic({
	code: 'plan/no-reader',
	severity: 'error',
	explain:
		'The metric weighs units by the weights that read them; here no matrix or filter with known weights does.',
	message: ({ metric, what }: { metric: string; what: string }) =>
		`'${metric}' cannot score ${what}: no weight reads its units`,
	hint: () => 'score by l2 or random',
});
export const cannotAblate = defineDiagnostic({
	code: 'plan/cannot-ablate',
	severity: 'error',
	explain:
		'Units are left out one by one through zeros where they are read. A norm or a mean that runs over them would count the zeros, so what a removal does cannot be shown this way.',
	message: ({ metric, what }: { metric: string; what: string }) =>
		`'${metric}' cannot score ${what}: a norm or a mean runs over the units`,
	hint: () => 'score by wanda or l2',
});
export const noAnatomy = defineDiagnostic({
	code: 'plan/nothing-found',
	severity: 'error',
	explain: 'The structure that the statement names was not found in the dataflow of this model.',
	message: ({ target, scoped }: { target: string; scoped?: boolean; near?: readonly string[] }) =>
		scoped === true
			? `there are no ${target} in this scope`
			: `this model has no ${target} that prunec can find`,
	notes: ({ near = [] }) => near,
	hint: () => '`prunec inspect` shows what was found and what stands in the way',
});
export const changed = defineDiagnostic({
	code: 'plan/other-model',
	severity: 'error',
	explain: 'A plan belongs to one model, byte for byte: its decisions are positions in that model.',
	message: ({ path }: { path: string }) => `the plan was made for another model than '${path}'`,
	hint: () => 'make it again with `prunec plan`',
});
export const broken = defineDiagnostic({
	code: 'plan/cannot-rewrite',
	severity: 'error',
	explain: 'An operator cannot follow this cut in the form that the model has it.',
	message: ({ why }: { why: string }) => `the rewrite stops at ${why}`,
});
export const notFinite = defineDiagnostic({
	code: 'plan/not-finite',
	severity: 'error',
	explain:
		'Linear algebra needs finite numbers. Weights or measured statistics that hold NaN or infinity give no meaningful result.',
	message: ({ what }: { what: string }) => `there are numbers that are not finite in ${what}`,
	hint: () => 'look at the model and its inputs: the numbers come from there',
});
export const needsConsent = defineDiagnostic({
	code: 'plan/needs-consent',
	severity: 'error',
	explain:
		'Inputs and outputs keep their shape and meaning unless the recipe allows the change by name, in the statement or for the whole recipe.',
	message: ({ output, from, to }: { output: string; from: number; to: number }) =>
		`this would change the output '${output}': of ${from} columns, ${to} stay`,
	hint: ({ output }) => `add \`may change "${output}"\`, or leave its weights out with \`except\``,
});
export const columnsStay = defineDiagnostic({
	code: 'plan/columns-stay',
	severity: 'note',
	explain:
		'Ids of the tokenizer are columns of the scores: who feeds the best column back must find it under the old id. Where the statement gives no leave to change the output, columns of tokens that went are put back and hold minus infinity, which a softmax turns into 0 and an argmax never takes.',
	message: ({ output, columns, gone }: { output: string; columns: number; gone: number }) =>
		`the output '${output}' keeps its ${columns} columns: the ${gone} of tokens that go hold -Infinity`,
	hint: ({ output }) =>
		`a Pad and a Gather write them at each run; \`may change "${output}"\` leaves them out, and numbers the others anew`,
});

type Unmet = {
	readonly text: string;
	/** The kind of network that the model is not. */
	readonly family: string | undefined;
	/** What the model has of the properties whose conditions do not hold. */
	readonly found: readonly { readonly property: string; readonly value: number }[];
	/** The kinds of network that the model is. */
	readonly kinds: readonly string[];
};

const none = 'no layer with attention, no convolution, no recurrent layer';

export const unmetRequirement = defineDiagnostic({
	code: 'plan/unmet-requirement',
	severity: 'error',
	explain:
		'`require` says which models a recipe was made for. It is held against the model before anything else, and nothing is done to a model that does not meet it.',
	message: ({ text }: Unmet) =>
		`the recipe is for another kind of model: it requires \`${text.replace(/^require /, '')}\``,
	notes: ({ family, found, kinds }) => [
		...(family === undefined
			? []
			: [kinds.length === 0 ? `this model has ${none}` : `this model is a ${kinds.join(' and ')} network`]),
		...found.map(({ property, value }) =>
			property === 'opset' ? `this model is of opset ${value}` : `this model has ${value} ${property}`,
		),
	],
	hint: ({ text }) =>
		`\`prunec inspect\` shows what was found in it; where the recipe suits it all the same, leave \`${text}\` out`,
});
