/**
 * What several attentions read by head (relative position biases as of T5, slopes as of ALiBi, masks laid out by head) ties their heads: a
 * head can only go from all of them. Made for each attention by itself it ties nothing. Exact.
 */
import { nodesAround } from '../../ir/anatomy/apart.ts';
import { isActivationContraction, matrixOf, type Block } from '../../ir/anatomy/parts.ts';
import { type Family } from '../../ir/axes/families.ts';
import { type Net, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { BOOL, FLOAT, INT64 } from '../../ir/graph/dtype.ts';
import { nodeLabel, subgraphs, type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { plainStep } from '../../ir/recipe/plain-step.ts';
import { type Step } from '../../ir/recipe/recipe.ts';
import { present } from '../../diagnostic.ts';
import { nothingToDo } from '../../messages/exact.ts';
import { insert } from '../edits.ts';
import { listRefusals } from '../exact/exact.ts';
import { layersInScope } from '../scope.ts';
import {
	defineTechnique,
	saidOf,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
} from '../technique.ts';

/** Copies of what makes a value, for one of those who read it: ids in the order of the graph. */
type Copy = { readonly reader: number; readonly slot: number; readonly nodes: readonly number[] };
type Untied = { readonly copies: readonly Copy[] };

const words = {
	name: 'untie-heads',
	verb: 'untie',
	target: 'heads',
	aliases: ['head'],
	summary:
		'What several attentions read by head (position biases, slopes, masks) is made for each of them by itself, so that each can lose heads of its own: exact. Statements about heads do it where heads are tied.',
	example: 'untie heads',
	amounts: [],
	bare: true,
	clauses: ['in', 'except', 'may change'],
	metrics: [],
} as const;

export const untieHeads = defineTechnique<Untied>({
	words,
	plan: (request) => Promise.resolve(plan(request)),
	lower,
});

/** What comes before a statement about heads: the same scope untied, where there is something to untie. */
export function untiedBefore(request: PlanRequest): readonly Step[] {
	const { step } = request;
	if (tiesIn(request).every(({ copies }) => copies.length === 0)) return [];
	const { in: places, except, mayChange, span, spans, line } = step;
	return [
		{
			...plainStep({ ...words, technique: words.name }),
			...{ in: places, except, mayChange, span, spans, line },
		},
	];
}

function plan(request: PlanRequest): Planned<Untied> {
	const { step, numbering } = request;
	const ties = tiesIn(request);
	const copies = ties.flatMap((tie) => tie.copies);
	const selected = ties.filter((tie) => tie.copies.length > 0).length;
	const unit = 'attentions with tied heads';
	const nothing = selected === 0 ? [nothingToDo({ unit, of: ties.length }, { span: step.span })] : [];
	const refusals = ties.flatMap(({ label, why }) => (why === undefined ? [] : [{ label, why }]));
	return {
		plan: {
			...saidOf(step, 'what is exact'),
			...{ selected, of: ties.length, unit },
			removed: [],
			refused: [...nothing, ...listRefusals(refusals, unit, request)],
			exact: true,
			decision: { copies },
		},
		tensors: new Map(),
		numbering,
	};
}

/** An attention whose heads are tied to another's: what is to be copied for it, or why that cannot be. */
type Tie = { readonly label: string; readonly copies: readonly Copy[]; readonly why?: string };

function tiesIn(request: PlanRequest): Tie[] {
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

function lower({ net, decision: { copies }, label }: LowerTask<Untied>): Lowered {
	const patch = { label, edits: editsOf(net, copies) };
	return {
		patch,
		claims: [
			{
				says: 'the model before',
				reference: net.model,
				isSpoiled: true,
				controls: copies.slice(0, most).flatMap((copy) => {
					const type = net.facts.of(nodeOf(net, copy.reader).inputs[copy.slot] ?? '')?.type ?? FLOAT;
					return spoils(type).map((spoil) => () => spoiledFor(net, copies, copy, spoil));
				}),
			},
		],
	};
}

/** Controls are tried in turn; these many are enough to find one that shows. */
const most = 4;

function editsOf(net: Net, copies: readonly Copy[]): Edit[] {
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

function nodeOf(net: Net, id: number): NetNode['node'] {
	return present(net.byNode.get(id), 'a node of the plan').node;
}

/** A control: one reader gets something else for what is copied. */
function spoiledFor(net: Net, copies: readonly Copy[], { reader, slot }: Copy, spoil: Spoil): Model {
	const model = applyPatch(net.model, { label: 'untied', edits: editsOf(net, copies) });
	const node = present(
		model.graph.nodes.find(({ id }) => id === reader),
		'a reader',
	);
	const wrong = freshNames(model.graph)('wrong');
	const inputs = node.inputs.map((name, at) => (at === slot ? wrong : name));
	return applyPatch(model, {
		label: 'copies spoiled',
		edits: [...spoil(model, node.inputs[slot] ?? '', wrong), { kind: 'node', node: { ...node, inputs } }],
	});
}

type Spoil = (model: Model, from: ValueName, to: ValueName) => readonly Edit[];

/** Zeros; and sums along the positions, since scores that are all higher by the same weigh no other way. */
function spoils(type: number): readonly Spoil[] {
	if (type === BOOL) return [(_, from, to) => [insert('Not', [from], to)]];
	const operand = ({ graph }: Model, of: number, value: number): Tensor =>
		tensorOf(freshNames(graph)('operand'), of, [], [value]);
	const withOperand = (op: string, tensor: Tensor, from: ValueName, to: ValueName): Edit[] => [
		{ kind: 'constant', tensor },
		insert(op, [from, tensor.name], to),
	];
	return [
		(model, from, to) => withOperand('Mul', operand(model, type, 0), from, to),
		(model, from, to) => withOperand('CumSum', operand(model, INT64, -1), from, to),
	];
}
