/** Some nodes of a graph as a model of their own, at the sizes of a sample: what they take can be measured apart. */
import { type Facts } from './facts.ts';
import { constantsOf } from './constants.ts';
import { FLOAT, INT64, isFloat } from './dtype.ts';
import { applyPatch, type Edit } from './patch.ts';
import {
	elementCount,
	subgraphs,
	type Model,
	type Node,
	type Tensor,
	type ValueInfo,
	type ValueName,
} from './graph.ts';
import { ints } from './tensor.ts';

export type Part = {
	/** Its inputs have fixed sizes; integers that the graph computes from sizes are constants. */
	readonly model: Model;
	/** The same for parts that take the same time: operators, attributes and sizes, without names and weights. */
	readonly key: string;
};

/** The nodes of these ids; undefined when a size there cannot be told, or a node has a body. */
export function partOf(model: Model, facts: Facts, ids: ReadonlySet<number>): Part | undefined {
	const constants = constantsOf(model.graph);
	const nodes = model.graph.nodes.filter(({ id, op }) => ids.has(id) && op !== 'Constant');
	const made = new Set(nodes.flatMap(({ outputs }) => outputs));
	const read = new Set(nodes.flatMap(({ inputs }) => inputs.filter((name) => name !== '')));
	const initializers = new Map<ValueName, Tensor>();
	const inputs: ValueInfo[] = [];
	for (const name of read) {
		if (made.has(name)) continue;
		const constant = constants.get(name) ?? knownOf(name, facts);
		if (constant !== undefined) initializers.set(name, constant);
		else {
			const { type = 0, sizes } = facts.of(name) ?? {};
			if (sizes === undefined) return undefined;
			inputs.push({ name, type: type === 0 ? FLOAT : type, dims: sizes });
		}
	}
	if (nodes.length === 0 || nodes.some((node) => subgraphs(node).length > 0)) return undefined;
	const inside = new Set(nodes.flatMap((node) => node.inputs));
	const outputs = [...made]
		.filter((name) => name !== '' && (!inside.has(name) || readOutside(model, name, ids)))
		.map((name) => ({ name, type: facts.of(name)?.type ?? FLOAT }));
	const graph = { ...model.graph, nodes, inputs, outputs, initializers, valueInfo: new Map() };
	return keyed({ ...model, graph });
}

/** The part after edits of its nodes. */
export function changedPart({ model }: Part, edits: readonly Edit[]): Part {
	return keyed(applyPatch(model, { label: 'part', edits }));
}

function keyed(model: Model): Part {
	const { nodes, initializers, inputs } = model.graph;
	return { model, key: keyOf(nodes, initializers, inputs) };
}

/** Integers that follow from sizes alone: targets of Reshape, bounds of Slice. */
function knownOf(name: ValueName, facts: Facts): Tensor | undefined {
	const { type, sizes, known } = facts.of(name) ?? {};
	if (sizes === undefined || known === undefined || type === undefined || isFloat(type)) return undefined;
	return type === INT64 && known.values.length === elementCount(sizes)
		? ints(name, sizes, known.values)
		: undefined;
}

function readOutside({ graph }: Model, name: ValueName, ids: ReadonlySet<number>): boolean {
	return (
		graph.outputs.some((output) => output.name === name) ||
		graph.nodes.some(({ id, inputs }) => !ids.has(id) && inputs.includes(name))
	);
}

function keyOf(
	nodes: readonly Node[],
	initializers: ReadonlyMap<ValueName, Tensor>,
	inputs: readonly ValueInfo[],
): string {
	const numbers = new Map<ValueName, number>();
	const numberOf = (name: ValueName): number => {
		const number = numbers.get(name) ?? numbers.size;
		numbers.set(name, number);
		return number;
	};
	const plain = nodes.map(({ op, domain, inputs: from, outputs, attributes }) => {
		const said = [...attributes].map(([name, attribute]) => [
			name,
			'value' in attribute ? attribute.value : '',
		]);
		return [op, domain, from.map(numberOf), outputs.map(numberOf), said];
	});
	const sizes = [
		...[...initializers].map(([name, { type, dims }]) => [numberOf(name), type, dims]),
		...inputs.map(({ name, type, dims }) => [numberOf(name), type, dims]),
	];
	return JSON.stringify([plain, sizes], (_, value: unknown) =>
		value instanceof Uint8Array ? [...value] : typeof value === 'bigint' ? value.toString() : value,
	);
}
