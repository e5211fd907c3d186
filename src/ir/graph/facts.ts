/**
 * Sizes and small integers of every value, without running the model: the operators' own size rules are evaluated at
 * two samples of the symbolic dimensions; what differs between them is dynamic.
 */
import { flowDomain, type Model, type Node, type Tensor, type ValueName } from './graph.ts';
import { constantsOf, smallNumbers } from './constants.ts';
import { sortNodes } from './order.ts';
import { bindShapes, fedInputs, samples, smallest, type Sample, type Shapes } from './bindings.ts';
import { emptiedIn, tornIn } from './unfit.ts';
import { statePairs } from '../axes/rows-flow.ts';
import { operatorOf } from '../axes/table.ts';
import { type Known, type NodeView, type Operand } from '../axes/view.ts';

export type Facts = {
	/** What is known of a value; undefined for a name nobody makes. */
	of(name: ValueName): Operand | undefined;
	/** The node as its operator's row sees it; `constant` is one it reads that is not in the model. */
	view(node: Node, constant?: Tensor): NodeView;
	/** Input sizes of the two samples. */
	readonly shapes: readonly [Shapes, Shapes];
};

/** Operands by name, at one sample of the symbols. */
type Sampled = Map<ValueName, Operand>;

const none: Operand = { type: 0, sizes: undefined, dynamic: [], constant: false };

const always = new Map<number, readonly boolean[]>();

/** Within one sample nothing moves; what does is told by comparing two. */
function allFixed(count: number): readonly boolean[] {
	const known = always.get(count) ?? new Array<boolean>(count).fill(true);
	always.set(count, known);
	return known;
}

function operandOf(
	type: number,
	sizes: readonly number[] | undefined,
	values: readonly number[] | undefined,
): Operand {
	const known = values && { values, fixed: allFixed(values.length) };
	return { type, sizes, dynamic: [], constant: false, ...(known && { known }) };
}

/** A constant's numbers are read when an operator asks for them: most are weights that none does. */
function constantOperand(tensor: Tensor): Operand {
	let known: Known | undefined;
	let asked = false;
	return {
		type: tensor.type,
		sizes: tensor.dims,
		dynamic: [],
		constant: true,
		get known(): Known | undefined {
			if (!asked) {
				const values = smallNumbers(tensor);
				known = values && { values, fixed: allFixed(values.length) };
				asked = true;
			}
			return known;
		},
	};
}

/** Facts told before, by model and the sizes given: models do not change, and every stage asks. */
const told = new WeakMap<Model, Map<string, Facts>>();

/** Evaluates the model's sizes; nothing here fails: what cannot be told is unknown, and unknown is pinned later. */
export function inferFacts(model: Model, given: Shapes = new Map()): Facts {
	const own = told.get(model) ?? new Map<string, Facts>();
	told.set(model, own);
	const key = JSON.stringify([...given]);
	const facts = own.get(key) ?? evaluated(model, given);
	own.set(key, facts);
	return facts;
}

/** Which sample is evaluated, and whether the answer of some operator depended on it. */
type Turn = { readonly at: 0 | 1; asked: boolean };

function evaluated(model: Model, given: Shapes): Facts {
	const constants = constantsOf(model.graph);
	const start: Sampled = new Map();
	for (const [name, tensor] of constants) start.set(name, constantOperand(tensor));
	const order = sortNodes(model.graph.nodes).filter(({ op }) => op !== 'Constant');
	const turn: Turn = { at: 0, asked: false };
	const [firstShapes, first] = fitting(model, order, start, given, turn);
	// Where no input has a symbolic size and no operator one that depends on data, one sample tells all.
	const [secondShapes, second] =
		turn.asked || moves(model, given)
			? fitting(model, order, start, given, { at: 1, asked: true })
			: [firstShapes, first];
	const shapes = [firstShapes, secondShapes] as const;
	const merged = new Map<ValueName, Operand>();
	for (const [name, value] of first) merged.set(name, merge(value, second.get(name)));
	const picks = conditionsOf(order);
	const least = picks.length === 0 ? undefined : atLeast(model, order, start, given);
	for (const name of picks) merged.set(name, settled(merged.get(name) ?? none, least?.get(name)));
	const of = (name: ValueName): Operand | undefined => merged.get(name);
	const operands = (names: readonly ValueName[], constant?: Tensor): (Operand | undefined)[] =>
		names.map((name) => {
			if (name === '') return undefined;
			return name === constant?.name ? constantOperand(constant) : (merged.get(name) ?? none);
		});
	const view = (node: Node, constant?: Tensor): NodeView => ({
		node,
		opset: opsetOf(model, node),
		inputs: operands(node.inputs, constant),
		outputs: operands(node.outputs),
	});
	return { of, view, shapes };
}

/** Whether some input's size is another one in the second sample. */
function moves(model: Model, given: Shapes): boolean {
	const [first, second] = samples.map((sample) => [...bindShapes(model, sample, given)]);
	return JSON.stringify(first) !== JSON.stringify(second);
}

/** Conditions of branches. */
function conditionsOf(order: readonly Node[]): ValueName[] {
	return order.flatMap(({ domain, op, inputs }) =>
		domain === flowDomain && op === 'If' ? [inputs[0] ?? ''] : [],
	);
}

/** What everything is at the smallest sizes. */
function atLeast(model: Model, order: readonly Node[], start: Sampled, given: Shapes): Sampled {
	return evaluate(
		model,
		order,
		bindShapes(model, smallest, given),
		start,
		{ at: 0, asked: false },
		new Map(),
	);
}

/** A condition on sizes is settled when the smallest ones give the same answer: whether a size is 1 is what exporters ask. */
function settled(condition: Operand, least: Operand | undefined): Operand {
	const { known } = condition;
	if (known === undefined) return condition;
	const fixed = known.fixed.map((is, at) => is && known.values[at] === least?.known?.values[at]);
	return { ...condition, known: { values: known.values, fixed } };
}

/** Longer inputs, until no operator is left with nothing: a window over audio needs more than a few samples. */
const longer: readonly number[] = [1, 8, 64, 512, 4096];

/** One item alone where more are `torn` at the first try: exporters that traced one may have written its number down. */
function* tries(sample: Sample, torn: () => boolean): Generator<Sample> {
	yield sample;
	const batch = torn() ? 1 : sample.batch;
	for (const factor of batch === sample.batch ? longer.slice(1) : longer)
		yield {
			...{ batch, past: sample.past, length: sample.length * factor },
			space: sample.space * Math.min(factor, 4),
		};
}

function fitting(
	model: Model,
	order: readonly Node[],
	start: Sampled,
	given: Shapes,
	turn: Turn,
): [Shapes, Sampled] {
	let best: [Shapes, Sampled] | undefined;
	let least = Infinity;
	for (const one of tries(samples[turn.at], () => best !== undefined && tornIn(best[1], order) > 0)) {
		const shapes = bindShapes(model, one, given);
		const values = turned(model, order, shapes, start, turn);
		const unfit = emptiedIn(values, order) + tornIn(values, order);
		if (unfit < least) [best, least] = [[shapes, values], unfit];
		if (unfit === 0) break;
	}
	return best ?? [new Map(), start];
}

/** At the second sample loops are in their third turn, so that the sizes of what grows in them are seen to move. */
function turned(model: Model, order: readonly Node[], shapes: Shapes, start: Sampled, turn: Turn): Sampled {
	let values = evaluate(model, order, shapes, start, turn, new Map());
	for (let times = 1; times < 3; times++) {
		const grown = grownStates(model, order, values, turn);
		if (grown.size === 0) break;
		turn.asked = true;
		if (turn.at === 0) break;
		values = evaluate(model, order, shapes, start, turn, grown);
	}
	return values;
}

/** States of loops that come out of a turn with other sizes than they went in with, as the next turn sees them. */
function grownStates(model: Model, order: readonly Node[], values: Sampled, turn: Turn): Sampled {
	const grown: Sampled = new Map();
	for (const node of order) {
		if (node.domain !== flowDomain) continue;
		for (const { into, out } of statePairs(viewAt(model, node, values, turn))) {
			const name = node.inputs[into] ?? '';
			const [before, after] = [values.get(name), values.get(node.inputs[out] ?? '')];
			if (before?.sizes?.join() === after?.sizes?.join()) continue;
			const same = before?.sizes?.length === after?.sizes?.length;
			grown.set(name, operandOf(before?.type ?? 0, same ? after?.sizes : undefined, undefined));
		}
	}
	return grown;
}

function opsetOf(model: Model, node: Node): number {
	return model.opsets.get(node.domain) ?? 1;
}

function viewAt(model: Model, node: Node, values: Sampled, turn: Turn): NodeView {
	return {
		node,
		get turn(): 0 | 1 {
			turn.asked = true;
			return turn.at;
		},
		opset: opsetOf(model, node),
		inputs: node.inputs.map((name) => (name === '' ? undefined : (values.get(name) ?? none))),
		outputs: node.outputs.map(() => none),
	};
}

/** `states` are what loops see of their states in place of what they start with. */
function evaluate(
	model: Model,
	order: readonly Node[],
	shapes: Shapes,
	start: Sampled,
	turn: Turn,
	states: Sampled,
): Sampled {
	const values: Sampled = new Map(start);
	for (const { name, type } of fedInputs(model))
		values.set(name, operandOf(type, shapes.get(name), undefined));
	for (const node of order) {
		outputsOf(node, viewAt(model, node, values, turn)).forEach((value, slot) => {
			const name = node.outputs[slot];
			if (name !== undefined && name !== '') values.set(name, states.get(name) ?? value);
		});
	}
	return values;
}

function outputsOf(node: Node, view: NodeView): Operand[] {
	const operator = operatorOf(node);
	const first = view.inputs.find((input) => input !== undefined)?.type ?? 0;
	const blind =
		node.domain !== flowDomain &&
		view.inputs.some((input) => input !== undefined && input.sizes === undefined);
	const sizes = blind ? [] : (operator?.sizes(view) ?? []);
	return node.outputs.map((_, slot) => {
		const own = sizes[slot];
		const values = own === undefined ? undefined : operator?.values?.(view, slot);
		return operandOf(operator?.type?.(view, slot) ?? first, own, values);
	});
}

/** What two samples say together: what differs moves with the input. */
function merge(first: Operand, second: Operand | undefined): Operand {
	if (first === second) return first;
	const { type, sizes, known, constant } = first;
	const agree = second?.sizes?.length === sizes?.length;
	const other = second?.known?.values.length === known?.values.length ? second?.known?.values : undefined;
	const values = known?.values;
	return {
		type,
		sizes: agree ? sizes : undefined,
		dynamic: sizes?.map((size, axis) => size !== second?.sizes?.[axis]) ?? [],
		constant,
		...(values && { known: { values, fixed: values.map((value, index) => value === other?.[index]) } }),
	};
}
