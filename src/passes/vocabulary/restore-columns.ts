/**
 * Scores of tokens, put back under the old ids: the columns of those that went hold minus infinity. A softmax makes exactly 0 of that and
 * an argmax never takes it, it needs no scale (half precision holds it too), and generators write it for tokens that they forbid.
 */
import { present } from '../../diagnostic.ts';
import { type Net } from '../../ir/axes/net.ts';
import { boundedOutputs } from '../../ir/graph/bounded.ts';
import { BOOL, DOUBLE, FLOAT, FLOAT16 } from '../../ir/graph/dtype.ts';
import { type Attribute, type Graph, type Model, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { ints, tensorOf } from '../../ir/graph/tensor.ts';
import { type Kept } from '../../ir/proof.ts';
import { attributeInt, insert } from '../edits.ts';
import { oneBehind, restoredBefore } from './restored-before.ts';

/** An axis of a graph output that gets back what a cut takes of its columns. */
export type Restored = { readonly output: ValueName; readonly axis: number; readonly columns: number };

/** The same with what is needed to write it: columns at `kept` are still computed. */
export type Columns = Restored & {
	readonly type: number;
	readonly rank: number;
	readonly kept: Int32Array;
};

type Fresh = (base: string) => ValueName;

/** Outputs that can hold minus infinity: floating point, and no probabilities, whose lowest value is 0. */
export function scoreOutputs({ model, facts }: Net): ReadonlySet<ValueName> {
	const bounded = boundedOutputs(model);
	const types: readonly number[] = [FLOAT, FLOAT16, DOUBLE];
	const isScore = (name: ValueName): boolean =>
		!bounded.has(name) && types.includes(facts.of(name)?.type ?? 0);
	return new Set(model.graph.outputs.map(({ name }) => name).filter(isScore));
}

/** What is put back where, by what a cut leaves of the outputs. */
export function columnsOf(net: Net, restored: readonly Restored[], kept: Kept): Columns[] {
	return restored.map((one) => ({
		...one,
		type: net.facts.of(one.output)?.type ?? FLOAT,
		rank: present(net.tensors.get(one.output), 'an output').sizes.length,
		kept: present(kept.get(one.output)?.get(one.axis), 'what is left of an output'),
	}));
}

/** Behind the scores that a cut leaves: one more column, of minus infinity; then each old id picks its own, or that one. */
export function restoreEdits(model: Model, columns: readonly Columns[]): Edit[] {
	const { graph, opsets } = model;
	const fresh = freshNames(graph);
	return columns.flatMap((one) => {
		const { output, axis, columns: size, kept } = one;
		const [part, wider, index] = [
			fresh(`${output}_kept`),
			fresh(`${output}_wider`),
			fresh(`${output}_columns`),
		];
		const places = Array.from({ length: size }, () => kept.length);
		kept.forEach((column, place) => (places[column] = place));
		const before = restoredBefore(model, one);
		if (before !== undefined) {
			const both = places.map((place) => before.columns[place] ?? before.none);
			const [wide = ''] = before.node.inputs;
			return [
				{ kind: 'constant', tensor: ints(index, [size], both) },
				{ kind: 'node', node: { ...before.node, inputs: [wide, index] } },
			];
		}
		return [
			...setApart(graph, output, part),
			...padEdits(one, { value: part, padded: wider, opset: opsets.get('') ?? 1 }, fresh),
			{ kind: 'constant', tensor: ints(index, [size], places) },
			insert('Gather', [wider, index], output, attributeInt('axis', axis)),
		];
	});
}

/** The maker of an output, and all that read it in the graph, know it as `inner`: who stands outside sees what is put behind it. */
function setApart({ nodes }: Graph, output: ValueName, inner: ValueName): Edit[] {
	const renamed = (names: readonly ValueName[]): ValueName[] =>
		names.map((name) => (name === output ? inner : name));
	return nodes
		.filter(({ inputs, outputs }) => inputs.includes(output) || outputs.includes(output))
		.map((node) => ({
			kind: 'node',
			node: { ...node, inputs: renamed(node.inputs), outputs: renamed(node.outputs) },
		}));
}

/** One column of minus infinity at the end; sizes are inputs of Pad from opset 11 on. https://onnx.ai/onnx/operators/onnx__Pad.html */
function padEdits(
	{ type, rank, axis }: Columns,
	{ value, padded, opset }: { value: ValueName; padded: ValueName; opset: number },
	fresh: Fresh,
): Edit[] {
	const pads = oneBehind(rank, axis);
	if (opset < 11) {
		const attributes = new Map<string, Attribute>([
			['pads', { kind: 'ints', value: pads }],
			['value', { kind: 'float', value: -Infinity }],
		]);
		return [insert('Pad', [value], padded, attributes)];
	}
	const [sizes, none] = [fresh(`${padded}_pads`), fresh(`${padded}_none`)];
	return [
		{ kind: 'constant', tensor: ints(sizes, [pads.length], pads) },
		{ kind: 'constant', tensor: tensorOf(none, type, [], [-Infinity]) },
		insert('Pad', [value, sizes, none], padded),
	];
}

/** The reference: all columns as they are, and minus infinity chosen where a token went. */
export function withoutScores(model: Model, columns: readonly Columns[], label: string): Model {
	const { graph } = model;
	const fresh = freshNames(graph);
	const edits = columns.flatMap(({ output, axis, rank, type, columns: size, kept }): Edit[] => {
		const [whole, stays, none] = [
			fresh(`${output}_whole`),
			fresh(`${output}_stays`),
			fresh(`${output}_none`),
		];
		const stay = new Set(kept);
		const flags = Array.from({ length: size }, (_, column) => Number(stay.has(column)));
		const dims = [size, ...Array.from({ length: rank - axis - 1 }, () => 1)];
		return [
			...setApart(graph, output, whole),
			{ kind: 'constant', tensor: tensorOf(stays, BOOL, dims, flags) },
			{ kind: 'constant', tensor: tensorOf(none, type, [], [-Infinity]) },
			insert('Where', [stays, whole, none], output),
		];
	});
	return applyPatch(model, { label, edits });
}
