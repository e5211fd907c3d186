/**
 * What several attentions read by head (relative position biases as of T5, slopes as of ALiBi, masks laid out by head) ties their heads: a
 * head can only go from all of them. Made for each attention by itself it ties nothing. Exact.
 */
import { BOOL, FLOAT, INT64 } from '../../ir/graph/dtype.ts';
import { type Net } from '../../ir/axes/net.ts';
import { type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { plainStep } from '../../ir/recipe/plain-step.ts';
import { type Step } from '../../ir/recipe/recipe.ts';
import { present } from '../../diagnostic.ts';
import { nothingToDo } from '../../messages/exact.ts';
import { insert } from '../edits.ts';
import { asBefore, listRefusals } from '../exact/exact.ts';
import { copyEdits, nodeOf, tiesIn, type Copy } from './tied-heads.ts';
import {
	defineTechnique,
	saidOf,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
} from '../technique.ts';

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

function lower({ net, decision: { copies }, label }: LowerTask<Untied>): Lowered {
	const controls = copies.slice(0, most).flatMap((copy) => {
		const type = net.facts.of(nodeOf(net, copy.reader).inputs[copy.slot] ?? '')?.type ?? FLOAT;
		return spoils(type).map((spoil) => () => spoiledFor(net, copies, copy, spoil));
	});
	return { patch: { label, edits: copyEdits(net, copies) }, claims: [asBefore(net.model, controls)] };
}

/** Controls are tried in turn; these many are enough to find one that shows. */
const most = 4;

/** A control: one reader gets something else for what is copied. */
function spoiledFor(net: Net, copies: readonly Copy[], { reader, slot }: Copy, spoil: Spoil): Model {
	const model = applyPatch(net.model, { label: 'untied', edits: copyEdits(net, copies) });
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
