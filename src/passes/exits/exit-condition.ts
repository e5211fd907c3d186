/**
 * When a run may stop: signals of class scores, compared with thresholds that are stored as constants, so that they can be set later.
 * Confidence is the largest probability, margin the distance to the second (both of the softmax of the scores), entropy is in nats
 * (BranchyNet, arXiv:1709.01686). Patience is after PABEE (arXiv:2006.04152), saturation after CALM (arXiv:2207.07061).
 */
import { bug } from '../../diagnostic.ts';
import { BOOL, FLOAT, INT64 } from '../../ir/graph/dtype.ts';
import { type Attribute, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { floats } from '../../ir/graph/tensor.ts';
import { type Comparison, type Predicate } from '../../ir/recipe/recipe.ts';
import { constantTerm } from '../../ir/recipe/predicate.ts';
import { type Choice } from '../../ir/recipe/vocabulary.ts';

/** Adds nodes and constants with free names. */
export type Emit = {
	/** Of the model: in its form nodes must be. */
	readonly opset: number;
	/** @returns the name of the node's first output. */
	node(
		op: string,
		inputs: readonly ValueName[],
		attributes?: Readonly<Record<string, Attribute>>,
		outputs?: number,
	): ValueName;
	constant(base: string, type: number, dims: readonly number[], values: readonly number[]): ValueName;
};

/** Scores of classes, [batch, classes], or [batch, 1, classes]. */
export type Scores = {
	readonly value: ValueName;
	readonly classes: number;
	/** Whether an axis of one position stands between. */
	readonly ofLast?: boolean;
	/** They are the output of a softmax already. */
	readonly areProbabilities: boolean;
};

export type Threshold = {
	readonly name: ValueName;
	/** The infinity that makes the condition hold whatever the scores; the other one makes it fail. */
	readonly always: number;
};

export type Condition = {
	/** A bool scalar: every row of the batch meets the condition. */
	readonly met: ValueName;
	readonly thresholds: readonly Threshold[];
};

/** The signals that a condition reads. */
export function signalsIn(when: Predicate): ReadonlySet<string> {
	if (when.kind === 'and' || when.kind === 'or')
		return new Set([...signalsIn(when.left), ...signalsIn(when.right)]);
	if (when.kind === 'not') return signalsIn(when.operand);
	const name = comparisonOf(when)?.signal;
	return new Set(name === undefined ? [] : [name]);
}

export const signals: readonly Choice[] = [
	{ word: 'confidence', summary: 'the largest probability of a class, 0 to 1' },
	{ word: 'margin', summary: 'the largest probability less the second, 0 to 1' },
	{ word: 'entropy', summary: 'of the probabilities, in nats: 0 is sure' },
	{
		word: 'patience',
		summary: 'how many exits before it, one behind the other, name the class that it names',
	},
	{
		word: 'saturation',
		summary:
			'cosine between what the layer ends and begins with, mean over positions: 1 when it changes nothing',
	},
	{
		word: 'agreement',
		summary: 'alone: `agreement >= 99%` chooses the confidence, one for all exits, on calibration data',
	},
];

/** A signal on the left, a number on the right; undefined for any other comparison. */
function comparisonOf(
	found: Predicate,
): { readonly signal: string; readonly op: Comparison; readonly threshold: number } | undefined {
	if (found.kind !== 'compare') return undefined;
	const { left, right, op } = found;
	const turned = mirrored[op];
	if (turned === undefined) return undefined;
	const [low, high] = [constantTerm(left), constantTerm(right)];
	if ([left, right].some((term) => term.kind === 'field' && term.name === 'agreement')) return undefined;
	if (left.kind === 'field' && high !== undefined) return { signal: left.name, op, threshold: high };
	if (right.kind === 'field' && low !== undefined) return { signal: right.name, op: turned, threshold: low };
	return undefined;
}

const mirrored: Readonly<Partial<Record<Comparison, Comparison>>> = {
	'<': '>',
	'<=': '>=',
	'>': '<',
	'>=': '<=',
};

/** Whether every comparison is of a signal with a threshold that infinity can hold open or shut. */
export function hasThresholds(when: Predicate): boolean {
	switch (when.kind) {
		case 'and':
		case 'or':
			return hasThresholds(when.left) && hasThresholds(when.right);
		case 'not':
			return hasThresholds(when.operand);
		default:
			return comparisonOf(when) !== undefined;
	}
}

/** Adds what tells whether all rows of the batch meet the condition; runs from opset 8 on, which broadcasts in `Max`. */
export function conditionOf(
	when: Predicate,
	scores: Scores,
	label: string,
	emit: Emit,
	others: Readonly<Partial<Record<string, () => ValueName>>> = {},
): Condition {
	const thresholds: Threshold[] = [];
	const cast = emit.node('Cast', [scores.value], { to: int(FLOAT) });
	const flat = (): ValueName => emit.constant('flat', INT64, [2], [-1, scores.classes]);
	const plain = scores.ofLast === true ? emit.node('Reshape', [cast, flat()]) : cast;
	const probabilities = scores.areProbabilities ? plain : emit.node('Softmax', [plain], { axis: int(1) });
	const known = new Map<string, ValueName>();
	const signal = (name: string): ValueName => {
		const value = known.get(name) ?? others[name]?.() ?? signalOf(name, probabilities, scores.classes, emit);
		known.set(name, value);
		return value;
	};
	const build = (part: Predicate, holds: boolean): ValueName => {
		if (part.kind === 'and' || part.kind === 'or')
			return emit.node(part.kind === 'and' ? 'And' : 'Or', [
				build(part.left, holds),
				build(part.right, holds),
			]);
		if (part.kind === 'not') return emit.node('Not', [build(part.operand, !holds)]);
		const { signal: name, op, threshold } = comparisonOf(part) ?? bug('a condition without a threshold');
		const stored = emit.constant(`${label}_${name}`, FLOAT, [], [threshold]);
		const isLower = op.startsWith('>');
		thresholds.push({ name: stored, always: isLower === holds ? -Infinity : Infinity });
		// `>=` is "not less": the operators of that name came with opset 12.
		const strict = op === '>' || op === '<=' ? 'Greater' : 'Less';
		const compared = emit.node(strict, [signal(name), stored]);
		return op.endsWith('=') ? emit.node('Not', [compared]) : compared;
	};
	const rows = emit.node('Cast', [build(when, true)], { to: int(FLOAT) });
	const least = emit.node('ReduceMin', [rows], { keepdims: int(0) });
	return { met: emit.node('Cast', [least], { to: int(BOOL) }), thresholds };
}

/** The number each row is judged by: [batch, 1]. */
function signalOf(name: string, probabilities: ValueName, classes: number, emit: Emit): ValueName {
	if (name === 'entropy') {
		// A probability of 0 adds nothing: 0 · log of the smallest normal number.
		const tiny = emit.constant('smallest', FLOAT, [], [1.2e-38]);
		const logs = emit.node('Log', [emit.node('Max', [probabilities, tiny])]);
		const minus = emit.constant('minus', FLOAT, [classes, 1], new Array<number>(classes).fill(-1));
		return emit.node('MatMul', [emit.node('Mul', [probabilities, logs]), minus]);
	}
	if (name === 'confidence') return mostOf(probabilities, emit);
	const top =
		emit.opset >= 10
			? emit.node('TopK', [probabilities, emit.constant('two', INT64, [1], [2])], { axis: int(1) }, 2)
			: emit.node('TopK', [probabilities], { axis: int(1), k: int(2) }, 2);
	return emit.node('MatMul', [top, emit.constant(name, FLOAT, [2, 1], [1, -1])]);
}

/** Axes are an input from opset 18 on. */
function mostOf(probabilities: ValueName, emit: Emit): ValueName {
	return emit.opset >= 18
		? emit.node('ReduceMax', [probabilities, emit.constant('classes', INT64, [1], [1])], { keepdims: int(1) })
		: emit.node('ReduceMax', [probabilities], { axes: { kind: 'ints', value: [1] }, keepdims: int(1) });
}

/** The class each row names, [batch, 1]; and how many exits in a row named it before: `earlier` is what this gave for the exit before. */
export type Patience = { readonly named: ValueName; readonly count: ValueName };

export function patienceOf({ value, classes }: Scores, earlier: Patience | undefined, emit: Emit): Patience {
	const flat = emit.node('Reshape', [value, emit.constant('flat', INT64, [2], [-1, classes])]);
	const named = emit.node('ArgMax', [flat], { axis: int(1), keepdims: int(1) });
	const isFirst = earlier === undefined;
	const same = emit.node('Cast', [emit.node('Equal', [named, isFirst ? named : earlier.named])], {
		to: int(FLOAT),
	});
	const one = emit.constant('one', FLOAT, [], [1]);
	const count = isFirst
		? emit.node('Sub', [same, one])
		: emit.node('Mul', [same, emit.node('Add', [earlier.count, one])]);
	return { named, count };
}

/** Mean over positions of the cosine between two values of [batch, …, features]: [batch, 1]. */
export function saturationOf(before: ValueName, after: ValueName, features: number, emit: Emit): ValueName {
	const [a, b] = [before, after].map((value) => emit.node('Cast', [value], { to: int(FLOAT) }));
	const ones = emit.constant('ones', FLOAT, [features, 1], new Array<number>(features).fill(1));
	const dot = (left = '', right = ''): ValueName =>
		emit.node('MatMul', [emit.node('Mul', [left, right]), ones]);
	const norms = emit.node('Sqrt', [emit.node('Mul', [dot(a, a), dot(b, b)])]);
	const tiny = emit.constant('smallest', FLOAT, [], [1.2e-38]);
	const cosines = emit.node('Div', [dot(a, b), emit.node('Max', [norms, tiny])]);
	// Pooling takes a mean over any number of positions in the same words at every opset.
	const rows = emit.node('Reshape', [cosines, emit.constant('rows', INT64, [3], [0, 1, -1])]);
	const mean = emit.node('GlobalAveragePool', [rows]);
	return emit.node('Reshape', [mean, emit.constant('column', INT64, [2], [-1, 1])]);
}

/** The edits that hold a condition open or shut. */
export function held(thresholds: readonly Threshold[], open: boolean): Tensor[] {
	return thresholds.map(({ name, always }) => floats(name, [], [open ? always : -always]));
}

function int(value: number): Attribute {
	return { kind: 'int', value };
}
