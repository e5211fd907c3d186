/**
 * Tables of positions without the rows that no input reaches. `keep 128` is exact for inputs of up to 128 positions, and longer ones are
 * out of range; bare, only rows go that a model of fixed length never reads.
 */
import { bug, Fault, present, type Diagnostic } from '../../diagnostic.ts';
import { nodeLabel, type Tensor } from '../../ir/graph/graph.ts';
import { constantsOf } from '../../ir/graph/constants.ts';
import { freshNames, type Edit } from '../../ir/graph/patch.ts';
import { cutTensor } from '../../ir/graph/gather.ts';
import { type Net } from '../../ir/axes/net.ts';
import { unsupportedAmount } from '../../messages/check.ts';
import { nothingToDo, stays } from '../../messages/exact.ts';
import { fewerPositions, positionsNeeded } from '../../messages/positions.ts';
import { dialStraight, lowerStraight, planStraight, type Straight } from './drop-rotations.ts';
import { asBefore, lowerFolds, planFolds, spoiled, type Folds } from '../exact/exact.ts';
import { positionTable, rowsOf, type PositionTable } from './position-tables.ts';
import { sums } from './pre-added.ts';
import { groupBy } from '../group-by.ts';
import { sitesInScope } from '../sites.ts';
import { lowerStilled, planStilled, type Stilled } from './slow-rotations.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	saidOf,
} from '../technique.ts';

type Cuts = {
	readonly tables: readonly { readonly node: number; readonly axis: number; readonly keep: number }[];
};

export const prunePositions = defineTechnique<Cuts | Folds | Straight | Stilled>({
	words: {
		name: 'prune-positions',
		verb: 'prune',
		target: 'positions',
		aliases: ['position'],
		summary:
			'Drop rows of position tables: those that no input of a fixed length reaches, or with `keep 128` those that shorter inputs do not; `with sums` put what is added to every row into the table. `with none`, or an amount of attentions, stop turning queries and keys by position, `while kl <= 0.02` as many as may, `where frequency * 512 < 0.1` only the rotary pairs that hardly turn: lossy.',
		example: 'prune positions keep 128',
		amounts: ['keep-count', 'remove-count', 'remove-share'],
		bare: true,
		clauses: ['in', 'except', 'where', 'may change', 'until', 'while'],
		choices: {
			with: [
				{ word: 'sums', summary: 'what is added to every row of a table goes into it: exact' },
				{ word: 'none', summary: 'queries and keys are no longer turned by position: lossy' },
			],
		},
		fields: [
			{
				word: 'frequency',
				summary: 'of a rotary pair: the angle from one position to the next, in radians, at most',
			},
		],
		metrics: [],
	},
	dial: (request) => {
		const { with: how, where } = request.step;
		if (how === 'sums' || where !== undefined) throw notBoth(request, 'a goal');
		return dialStraight(request);
	},
	plan: (request) => {
		const { with: how, amount, where } = request.step;
		const isBoth = how === 'sums' ? amount !== undefined : how === 'none' && amount?.kind === 'keep-count';
		if (isBoth || (how !== undefined && where !== undefined))
			throw notBoth(request, where === undefined ? 'an amount' : 'a condition');
		if (where !== undefined) return Promise.resolve(planStilled(request, where));
		if (how === 'none' || (amount !== undefined && amount.kind !== 'keep-count'))
			return planStraight(request);
		return Promise.resolve(how === 'sums' ? planFolds(request, sums, 'position tables') : plan(request));
	},
	lower: ({ decision, ...task }) => {
		if ('stilled' in decision) return lowerStilled({ ...task, decision });
		if ('rotations' in decision) return lowerStraight({ ...task, decision });
		return 'folds' in decision ? lowerFolds({ ...task, decision }, sums) : lower({ ...task, decision });
	},
});

function notBoth({ step }: PlanRequest, what: string): Fault {
	const other = step.with === undefined ? 'a condition' : `\`with ${step.with}\``;
	const words = { technique: 'prune positions', example: 'prune positions keep 128' };
	return new Fault(unsupportedAmount({ amount: `${what} beside ${other}`, ...words }, { span: step.span }));
}

function plan(request: PlanRequest): Planned<Cuts> {
	const { step, net, numbering } = request;
	const { span } = step;
	const inScope = sitesInScope(request);
	const sites = net.nodes.flatMap((node) => (inScope(node.node) ? (positionTable(node) ?? []) : []));
	const wanted = step.amount?.kind === 'keep-count' ? step.amount.count : undefined;
	const needed = sites.filter(({ read, least }) => wanted !== undefined && wanted < (read ?? least));
	const cuts = sites.flatMap((site) => {
		const keep = keptRows(site, wanted);
		return keep < rowsOf(site) && !isShared(site, sites, net) && !needed.includes(site)
			? [{ ...site, keep }]
			: [];
	});
	const [stuck] = needed;
	if (wanted !== undefined && stuck !== undefined && cuts.length === 0)
		throw new Fault(
			positionsNeeded({ where: nodeLabel(stuck.node.node), keep: wanted, least: stuck.least }, { span }),
		);
	const longest = Math.max(0, ...cuts.map((site) => rowsOf(site) - (site.more ?? 0)));
	const found = { unit: 'position tables', of: sites.length };
	const nothing = cuts.length === 0 ? [nothingToDo(found, { span })] : [];
	const isShorter = wanted !== undefined && cuts.length > 0;
	const shorter = isShorter ? [fewerPositions({ keep: wanted, before: longest }, { span })] : [];
	return {
		plan: {
			...saidOf(step, 'unused rows'),
			selected: cuts.length,
			of: sites.length,
			unit: 'position tables',
			removed: [],
			refused: [...nothing, ...staying(sites, needed, request), ...shorter],
			exact: true,
			decision: { tables: cuts.map(({ node, axis, keep }) => ({ node: node.node.id, axis, keep })) },
		},
		tensors: new Map(),
		numbering,
	};
}

/** Rows that stay: those of so many positions, from wherever they are counted; of a fixed length, those that it reads. */
function keptRows({ read, more }: PositionTable, wanted: number | undefined): number {
	if (wanted === undefined) return read ?? Infinity;
	return read === undefined ? (more ?? Infinity) + wanted : Math.max(read, wanted);
}

/** The tables that stay whole, with the reason. */
function staying(
	sites: readonly PositionTable[],
	needed: readonly PositionTable[],
	request: PlanRequest,
): Diagnostic[] {
	const { step, net } = request;
	const whyOf = (site: PositionTable): string | undefined => {
		if (step.amount === undefined)
			return site.read === undefined
				? 'how far it is read depends on the input; `keep 128` says how far'
				: undefined;
		if (isShared(site, sites, net)) return 'another operator reads its table';
		if (needed.includes(site)) return `every run reads ${site.least} of its rows`;
		return site.read === undefined && site.more === undefined
			? 'how far it is read cannot be told from the number of positions'
			: undefined;
	};
	return groupBy(sites, (site) => whyOf(site) ?? '').flatMap((stay) => {
		const why = stay[0] && whyOf(stay[0]);
		const labels = stay.map(({ node }) => nodeLabel(node.node));
		return why === undefined ? [] : [stays({ unit: 'position tables', why, labels }, { span: step.span })];
	});
}

/** Whether somebody else reads the same table, who would still need all of it. */
function isShared({ table }: PositionTable, sites: readonly PositionTable[], { model }: Net): boolean {
	const readers = model.graph.nodes.filter(({ inputs }) => inputs.includes(table.name));
	return readers.some(({ id }) => !sites.some(({ node }) => node.node.id === id));
}

/** Reference: the model before, on inputs that are short enough. Controls: a table with other numbers. */
function lower({ net: { model }, decision: { tables }, label }: LowerTask<Cuts>): Lowered {
	const fresh = freshNames(model.graph);
	const constants = constantsOf(model.graph);
	const made = new Map<string, Tensor>();
	const edits = tables.flatMap(({ node: id, axis, keep }): Edit[] => {
		const node =
			model.graph.nodes.find((one) => one.id === id) ?? bug('a plan names a node that is not there', { id });
		const [name = ''] = node.inputs;
		const table = present(constants.get(name), name);
		const rows = Array.from({ length: keep }, (_, at) => at);
		const key = `${name} ${axis} ${keep}`;
		const known = made.get(key);
		const short = known ?? { ...cutTensor(table, axis, rows), name: fresh(`${name}_${keep}`) };
		made.set(key, short);
		const read: Edit = { kind: 'node', node: { ...node, inputs: [short.name, ...node.inputs.slice(1)] } };
		return known === undefined ? [{ kind: 'constant', tensor: short }, read] : [read];
	});
	return {
		patch: { label, edits },
		claims: [asBefore(model, spoiled(model, edits, label))],
	};
}
