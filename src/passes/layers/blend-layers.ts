/** Layers that count by a factor: result = input + scale · (result − input). With 0 they are bypassed, with 1 nothing changes. */
import { type Graph, type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { insert } from '../edits.ts';
import { bytesOf, floatsOf, scaleOf } from './byte-values.ts';
import { branchMuted, sumInNorm } from './skip-norms.ts';

/** What a layer puts out, what goes into it, and the value that scales their difference. */
export type Blend = {
	readonly from: ValueName;
	readonly to: ValueName;
	readonly scale: ValueName;
	/** Tensors to add: the scale, where it is a constant. */
	readonly constants: readonly Tensor[];
};

/** The last layer first: what others read is looked up by name. Where the sum stands inside a norm behind it, the branch is scaled. */
export function blended(model: Model, blends: readonly Blend[]): Model {
	const fresh = freshNames(model.graph);
	return blends.reduce((current, { from, to, scale, constants }) => {
		const norm = sumInNorm(model.graph, from, to);
		const edits = norm ? branchMuted(norm, to, scale, fresh) : blendEdits(current, fresh, from, to, scale);
		const added = constants.map((tensor): Edit => ({ kind: 'constant', tensor }));
		return applyPatch(current, { label: 'blended', edits: [...added, ...edits] });
	}, model);
}

/**
 * Whoever reads `from`, model outputs included, reads `to` + scale · (`from` − `to`); where they are bytes, what those stand for is
 * blended, and becomes bytes of the scale of `from`.
 */
export function blendEdits(
	{ graph }: Model,
	fresh: (base: string) => ValueName,
	from: ValueName,
	to: ValueName,
	scale: ValueName,
): Edit[] {
	const readers = graph.nodes.filter((node) => node.inputs.includes(from) && !node.outputs.includes(from));
	const [original, moved] = setApart(graph, from, fresh);
	const wanted = scaleOf(graph, from);
	const left = floatsOf(graph, original, wanted, fresh);
	const right = floatsOf(graph, to, scaleOf(graph, to), fresh);
	const [difference, scaled] = [fresh(`${from}_difference`), fresh(`${from}_scaled`)];
	const blended = original === from || wanted !== undefined ? fresh(`${from}_blended`) : from;
	const bytes = bytesOf(blended, wanted, fresh);
	return [
		...moved,
		...readers.map((node): Edit => ({
			kind: 'node',
			node: { ...node, inputs: node.inputs.map((name) => (name === from ? bytes.name : name)) },
		})),
		...left.edits,
		...right.edits,
		insert('Sub', [left.name, right.name], difference),
		insert('Mul', [difference, scale], scaled),
		insert('Add', [right.name, scaled], blended),
		...bytes.edits,
		...(original !== from && wanted !== undefined ? [insert('Identity', [bytes.name], from)] : []),
	];
}

/** A model output's maker under another name, so that something else can be put out by its own. */
function setApart(
	{ nodes, outputs }: Graph,
	from: ValueName,
	fresh: (base: string) => ValueName,
): [ValueName, Edit[]] {
	if (!outputs.some(({ name }) => name === from)) return [from, []];
	const original = fresh(`${from}_original`);
	const makers = nodes.filter((node) => node.outputs.includes(from));
	return [
		original,
		makers.map((maker): Edit => ({
			kind: 'node',
			node: { ...maker, outputs: maker.outputs.map((name) => (name === from ? original : name)) },
		})),
	];
}
