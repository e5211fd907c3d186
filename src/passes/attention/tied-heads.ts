/** What several attentions read by head, and copies of it for each of them. */
import { present } from '../../diagnostic.ts';
import { nodesAround } from '../../ir/anatomy/apart.ts';
import { isActivationContraction, matrixOf, type Block } from '../../ir/anatomy/parts.ts';
import { type Family } from '../../ir/axes/families.ts';
import { type Net, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { nodeLabel, subgraphs, type ValueName } from '../../ir/graph/graph.ts';
import { freshNames, type Edit } from '../../ir/graph/patch.ts';
import { layersInScope } from '../scope.ts';
import { type PlanRequest } from '../technique.ts';

/** Copies of what makes a value, for one of those who read it: ids in the order of the graph. */
export type Copy = { readonly reader: number; readonly slot: number; readonly nodes: readonly number[] };

/** An attention whose heads are tied to another's: what is to be copied for it, or why that cannot be. */
export type Tie = { readonly label: string; readonly copies: readonly Copy[]; readonly why?: string };

/** The attentions in scope that read something by head together with others. */
export function tiesIn(request: PlanRequest): Tie[] {
	const all = request.anatomy.layers.flatMap(({ blocks }) =>
		blocks.filter(({ kind, family }) => kind === 'attention' && family !== undefined),
	);
	const count = new Map<Family, number>();
	for (const { family } of all) if (family) count.set(family, (count.get(family) ?? 0) + 1);
	const isTied = ({ family }: Block): boolean => family !== undefined && (count.get(family) ?? 0) > 1;
	if (!all.some(isTied)) return [];
	const shared = sharedNodes(all.filter(isTied));
	return layersInScope(request)
		.flatMap(({ layer }) => layer.blocks.filter(isTied))
		.map((block) => tieOf(block, shared));
}

/** Nodes around more than one of the blocks. */
function sharedNodes(blocks: readonly Block[]): ReadonlySet<NetNode> {
	const counts = new Map<NetNode, number>();
	for (const block of blocks)
		for (const node of nodesAround(block)) counts.set(node, (counts.get(node) ?? 0) + 1);
	return new Set([...counts].flatMap(([node, times]) => (times > 1 ? [node] : [])));
}

function tieOf(block: Block, shared: ReadonlySet<NetNode>): Tie {
	const label = nodeLabel(block.node.node);
	const copies: Copy[] = [];
	for (const node of nodesAround(block)) {
		if (shared.has(node)) continue;
		for (const [slot, input] of node.inputs.entries()) {
			if (input?.producer === undefined || !shared.has(input.producer) || !liesOn(input, block)) continue;
			const makers = new Set<NetNode>();
			const why = collect(input, block, makers);
			if (why !== undefined) return { label, copies: [], why };
			const nodes = [...makers].sort((a, b) => a.index - b.index).map((maker) => maker.node.id);
			copies.push({ reader: node.node.id, slot, nodes });
		}
	}
	return copies.length > 0
		? { label, copies }
		: { label, copies, why: 'nothing is found that several attentions read by head' };
}

/** Whether heads lie on an axis of a value. */
function liesOn(tensor: NetTensor, { family }: Block): boolean {
	return family?.axes.get(tensor)?.some(Boolean) ?? false;
}

/** Adds the nodes that heads run through on the way to a value; why they cannot be copied. */
function collect(tensor: NetTensor, block: Block, makers: Set<NetNode>): string | undefined {
	const { producer } = tensor;
	if (producer === undefined || makers.has(producer)) return undefined;
	const { node, standsIn } = producer;
	const isCopied = !standsIn && node.bodies === undefined && subgraphs(node).length === 0;
	if (!isCopied || matrixOf(producer) !== undefined || isActivationContraction(producer))
		return `${nodeLabel(node)}, which several attentions read by head, is no mere bias or mask`;
	makers.add(producer);
	for (const input of producer.inputs) {
		const why = input && liesOn(input, block) ? collect(input, block, makers) : undefined;
		if (why !== undefined) return why;
	}
	return undefined;
}

/** Makes the copies, and lets their readers read them. */
export function copyEdits(net: Net, copies: readonly Copy[]): Edit[] {
	const fresh = freshNames(net.model.graph);
	const readers = new Map<number, ValueName[]>();
	const edits = copies.flatMap(({ reader, slot, nodes }) => {
		const names = new Map<ValueName, ValueName>();
		const inputs = readers.get(reader) ?? [...nodeOf(net, reader).inputs];
		readers.set(reader, inputs);
		const made = nodes.map((id): Edit => {
			const { id: _, origin: _origin, ...node } = { ...nodeOf(net, id), name: '' };
			for (const name of node.outputs) if (name !== '') names.set(name, fresh(name));
			const renamed = (all: readonly ValueName[]): ValueName[] => all.map((name) => names.get(name) ?? name);
			return {
				kind: 'insert',
				node: { ...node, inputs: renamed(node.inputs), outputs: renamed(node.outputs) },
			};
		});
		inputs[slot] = names.get(inputs[slot] ?? '') ?? present(inputs[slot], 'an input');
		return made;
	});
	return [
		...edits,
		...[...readers].map(([id, inputs]): Edit => ({ kind: 'node', node: { ...nodeOf(net, id), inputs } })),
	];
}

export function nodeOf(net: Net, id: number): NetNode['node'] {
	return present(net.byNode.get(id), 'a node of the plan').node;
}
