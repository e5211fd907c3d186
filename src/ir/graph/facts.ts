/**
 * Sizes and small integers of every value, without running the model: the operators' own size rules are evaluated at
 * two samples of the symbolic dimensions; what differs between them is dynamic.
 */
import { type Model, type Node, type ValueName } from './graph.ts';
import { constantsOf, smallNumbers } from './constants.ts';
import { sortNodes } from './order.ts';
import { bindShapes, fedInputs, samples, type Shapes } from './bindings.ts';
import { operatorOf } from '../axes/table.ts';
import { type NodeView, type Operand } from '../axes/view.ts';

export type Facts = {
	/** What is known of a value; undefined for a name nobody makes. */
	of(name: ValueName): Operand | undefined;
	/** The node as its operator's row sees it. */
	view(node: Node): NodeView;
	/** Input sizes of the two samples. */
	readonly shapes: readonly [Shapes, Shapes];
};

type Sampled = {
	readonly type: number;
	readonly sizes: readonly number[] | undefined;
	readonly values: readonly number[] | undefined;
};
type SampledValues = Map<ValueName, Sampled>;

const none: Operand = { type: 0, sizes: undefined, dynamic: [], constant: false };

/** Evaluates the model's sizes; nothing here fails: what cannot be told is unknown, and unknown is pinned later. */
export function inferFacts(model: Model, given: Shapes = new Map()): Facts {
	const constants = constantsOf(model.graph);
	const start: SampledValues = new Map(
		[...constants].map(([name, tensor]) => [
			name,
			{ type: tensor.type, sizes: tensor.dims, values: smallNumbers(tensor) },
		]),
	);
	const shapes = [bindShapes(model, samples[0], given), bindShapes(model, samples[1], given)] as const;
	const [first, second] = [evaluate(model, shapes[0], start), evaluate(model, shapes[1], start)];
	const merged = new Map<ValueName, Operand>();
	for (const [name, value] of first) merged.set(name, merge(value, second.get(name), constants.has(name)));
	const of = (name: ValueName): Operand | undefined => merged.get(name);
	const operands = (names: readonly ValueName[]): (Operand | undefined)[] =>
		names.map((name) => (name === '' ? undefined : (merged.get(name) ?? none)));
	const view = (node: Node): NodeView => ({
		node,
		opset: opsetOf(model, node),
		inputs: operands(node.inputs),
		outputs: operands(node.outputs),
	});
	return { of, view, shapes };
}

function opsetOf(model: Model, node: Node): number {
	return model.opsets.get(node.domain) ?? 1;
}

function evaluate(model: Model, shapes: Shapes, start: SampledValues): SampledValues {
	const values: SampledValues = new Map(start);
	for (const input of fedInputs(model)) {
		values.set(input.name, { type: input.type, sizes: shapes.get(input.name), values: undefined });
	}
	for (const node of sortNodes(model.graph.nodes)) {
		if (node.op === 'Constant') continue;
		outputsOf(node, sampledView(model, node, values)).forEach((value, slot) => {
			const name = node.outputs[slot];
			if (name !== undefined && name !== '') values.set(name, value);
		});
	}
	return values;
}

function sampledView(model: Model, node: Node, values: SampledValues): NodeView {
	const operand = (name: ValueName): Operand | undefined => {
		if (name === '') return undefined;
		const value = values.get(name);
		if (value === undefined) return none;
		const known = value.values && { values: value.values, fixed: value.values.map(() => true) };
		const constant = model.graph.initializers.has(name);
		return { type: value.type, sizes: value.sizes, dynamic: [], constant, ...(known && { known }) };
	};
	return {
		node,
		opset: opsetOf(model, node),
		inputs: node.inputs.map(operand),
		outputs: node.outputs.map(() => none),
	};
}

function outputsOf(node: Node, view: NodeView): Sampled[] {
	const operator = operatorOf(node);
	const first = view.inputs.find((input) => input !== undefined)?.type ?? 0;
	const sizes = view.inputs.some((input) => input !== undefined && input.sizes === undefined)
		? []
		: (operator?.sizes(view) ?? []);
	return node.outputs.map((_, slot) => ({
		type: operator?.type?.(view, slot) ?? first,
		sizes: sizes[slot],
		values: sizes[slot] === undefined ? undefined : operator?.values?.(view, slot),
	}));
}

function merge(first: Sampled, second: Sampled | undefined, constant: boolean): Operand {
	const { type, sizes, values } = first;
	const agree = second?.sizes?.length === sizes?.length;
	const other = second?.values?.length === values?.length ? second?.values : undefined;
	return {
		type,
		sizes: agree ? sizes : undefined,
		dynamic: sizes?.map((size, axis) => size !== second?.sizes?.[axis]) ?? [],
		constant,
		...(values && { known: { values, fixed: values.map((value, index) => value === other?.[index]) } }),
	};
}
