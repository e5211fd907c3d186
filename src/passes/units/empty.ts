/**
 * Structures of which every unit goes (`min 0`): what is read of them is zero, so each product that reads them becomes the
 * zeros that are left of it, and what stands behind it adds its bias as before. Reference: the same zeros multiplied in.
 */
import { present } from '../../diagnostic.ts';
import { type Family } from '../../ir/axes/families.ts';
import { operandOf, type Net, type NetTensor } from '../../ir/axes/net.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { nodeLabel } from '../../ir/graph/graph.ts';
import { freshNames, type Edit } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { masksOf } from './masks.ts';

/** A product that reads nothing but removed units, by its node's id. */
export type Emptied = { readonly node: number };

/** The products that become constants when a whole family goes, or why they cannot. */
export function emptiedBy(net: Net, family: Family): readonly Emptied[] | { readonly why: string } {
	const units = new Set(Array.from({ length: family.units }, (_, unit) => unit));
	const masks = masksOf({ family, units });
	for (const { node: id, side, slot, axis, how, dead } of masks) {
		const node = present(net.byNode.get(id), 'a reader');
		const size = operandOf(node, side, slot)?.sizes[axis];
		if (how !== 'zero' || side !== 'in' || dead.length !== size)
			return { why: `${nodeLabel(node.node)} reads more than these units` };
		if (!/^(MatMul|FusedMatMul)$/.test(node.node.op))
			return { why: `${nodeLabel(node.node)} is no plain product` };
		const stuck = neededWhole(node.outputs[0]);
		if (stuck !== undefined) return { why: `${stuck} needs the whole shape of what they add` };
	}
	return [...new Set(masks.map(({ node }) => node))].map((node) => ({ node }));
}

/**
 * Whoever needs a value in its full shape, where a row of constants would not do: every reader has to add it to a value of
 * that shape, or to a constant and so on.
 */
function neededWhole(value: NetTensor | undefined): string | undefined {
	if (value === undefined || value.io.length > 0) return 'an output of the model';
	for (const node of value.consumers) {
		const other = node.inputs.find((input) => input !== value);
		if (node.node.op !== 'Add' || other === undefined) return nodeLabel(node.node);
		const rest = other.fixed ? neededWhole(node.outputs[0]) : undefined;
		if (rest !== undefined) return rest;
		if (!other.fixed && !alike(other, value)) return nodeLabel(node.node);
	}
	return undefined;
}

function alike(one: NetTensor, other: NetTensor): boolean {
	return (
		one.sizes.length === other.sizes.length && one.sizes.every((size, axis) => size === other.sizes[axis])
	);
}

/** Each product as a row of zeros; the patch removes what nothing reads any more. */
export function emptyEdits(net: Net, emptied: readonly Emptied[]): Edit[] {
	const fresh = freshNames(net.model.graph);
	return emptied.flatMap(({ node: id }): Edit[] => {
		const { node, outputs } = present(net.byNode.get(id), 'an emptied reader');
		const output = present(outputs[0], 'the output of a reader');
		const width = output.sizes.at(-1) ?? 1;
		const name = fresh(`${output.name}_zeros`);
		const type = net.facts.of(output.name)?.type ?? FLOAT;
		return [
			{ kind: 'constant', tensor: tensorOf(name, type, [width], new Array<number>(width).fill(0)) },
			{ kind: 'node', node: { ...node, op: 'Identity', domain: '', inputs: [name], attributes: new Map() } },
		];
	});
}
