/**
 * Units that are the same number whatever the input, folded into what reads them: their rows of its weight, times that number, join its bias.
 * Nothing that the model computes changes. Where zeros around the input are read beside them they must be zero themselves: no bias says what
 * is so in the middle alone.
 */
import { present, type Diagnostic } from '../../diagnostic.ts';
import { operandOf, type Net } from '../../ir/axes/net.ts';
import { nodeLabel, type Tensor } from '../../ir/graph/graph.ts';
import { nothingToDo, stays } from '../../messages/exact.ts';
import { linearReaders, weightMatrix } from '../scores/grams.ts';
import { selectTold, type Candidate, type Selected } from '../scores/select.ts';
import { type Lowered, type LowerTask, type PlanRequest } from '../technique.ts';
import { isPadded } from './borders.ts';
import { recordRefit } from './refit-edits.ts';
import { ConstantUnits } from './constant-units.ts';
import { lowerCut, type CutDecision } from './cut.ts';
import { masksOf } from './masks.ts';
import { ownerAt, readersOf, type Reader } from './units.ts';

/** Numbers that stand at positions of the axis of a weight that a reader sums over, other than zero. */
export type Folding = {
	readonly node: number;
	readonly slot: number;
	readonly axis: number;
	readonly constants: readonly (readonly [position: number, value: number])[];
};

type Found = {
	readonly units: ReadonlySet<number>;
	/** Units that are constant, and who reads them with zeros beside them. */
	readonly stuck: ReadonlyMap<number, string>;
	readonly values: ReadonlyMap<Reader, Float64Array>;
};

/** The constant units of all candidates, what they leave, and what is to be said. */
export function selectConstant(
	candidates: readonly Candidate[],
	unit: string,
	{ step }: PlanRequest,
): {
	readonly selected: readonly Selected[];
	readonly foldings: readonly Folding[];
	readonly notes: readonly Diagnostic[];
} {
	const found = new Map(candidates.map((candidate) => [candidate, constantIn(candidate)]));
	const of = (candidate: Candidate): Found => present(found.get(candidate), candidate.label);
	const selected = selectTold(candidates, (candidate) => of(candidate).units);
	const place = { span: step.span };
	const total = candidates.reduce((sum, { scores }) => sum + scores.length, 0);
	const nothing = selected.length === 0 ? [nothingToDo({ unit, of: total }, place)] : [];
	const stuck = candidates.flatMap((candidate) => {
		const [why] = of(candidate).stuck.values();
		const labels = [`${of(candidate).stuck.size} of ${candidate.label}`];
		return why === undefined ? [] : [stays({ unit, why, labels }, place)];
	});
	const foldings = selected.flatMap(({ candidate, units }) => foldingsOf(of(candidate), new Set(units)));
	return { selected, foldings, notes: [...nothing, ...stuck] };
}

function constantIn({ family, ...group }: Candidate): Found {
	const constants = new ConstantUnits(family);
	const readers = readersOf(family);
	const values = new Map(readers.map((reader) => [reader, constants.at(reader.input)]));
	const folding = new Set(linearReaders({ family, ...group }).map(({ node }) => node));
	const others = othersIn(family, readers, constants);
	const [units, stuck] = [new Set<number>(), new Map<number, string>()];
	for (let unit = 0; unit < family.units && readers.length > 0; unit++) {
		const known = [...values].map(([reader, own]) => ({ reader, value: own[unit] ?? NaN }));
		if (known.some(({ value }) => !isFinite(value)) || !others.every((own) => own[unit] === 0)) continue;
		const border = known.find(
			({ reader: { node }, value }) => value !== 0 && (!folding.has(node) || isPadded(node.node)),
		);
		if (border === undefined) units.add(unit);
		else
			stuck.set(unit, `they are constant, but ${nodeLabel(border.reader.node.node)} reads zeros around them`);
	}
	return { units, stuck, values };
}

/** What the units are where they act on others without a weight; nothing that is known where a norm runs over them. */
function othersIn(
	family: Candidate['family'],
	readers: readonly Reader[],
	constants: ConstantUnits,
): Float64Array[] {
	const known = new Set(readers.map(({ node }) => node.node.id));
	const all = new Set(Array.from({ length: family.units }, (_, unit) => unit));
	const nodes = new Map([...family.letters.keys()].map((node) => [node.node.id, node]));
	return masksOf({ family, units: all })
		.filter(({ node }) => !known.has(node))
		.map(({ node, how, slot, side }) => {
			const operand = operandOf(present(nodes.get(node), 'a node of the family'), side, slot);
			const isSeen = how === 'zero' && operand?.fixed === false;
			return isSeen ? constants.at(operand) : new Float64Array(family.units).fill(NaN);
		});
}

function foldingsOf({ values }: Found, gone: ReadonlySet<number>): Folding[] {
	return [...values].flatMap(([reader, own]): Folding[] => {
		const { node, weight, weightAxis, owners, weightIndex } = reader;
		const constants = Array.from({ length: weight.sizes[weightAxis] ?? 0 }, (_, position) => {
			const unit = ownerAt(owners, weightIndex, position);
			return [position, gone.has(unit) ? (own[unit] ?? 0) : 0] as const;
		}).filter(([, value]) => value !== 0);
		const slot = node.inputs.indexOf(weight);
		return constants.length === 0 ? [] : [{ node: node.node.id, slot, axis: weightAxis, constants }];
	});
}

/** Rewrite: a cut, and biases that take up what went. Reference: the model before. Controls: one more unit gone. */
export function lowerFolded(task: LowerTask<CutDecision>, foldings: readonly Folding[]): Lowered {
	const { net, decision } = task;
	const tensors = new Map<string, Tensor>();
	const refits = foldings.map((one) => folded(net, one, tensors));
	const { claims, ...rest } = lowerCut({ ...task, decision: { ...decision, refits }, tensors });
	return {
		...rest,
		claims: claims.map(({ controls }) => ({ says: 'the model before', reference: net.model, controls })),
	};
}

function folded(
	net: Net,
	{ node: id, slot, axis, constants }: Folding,
	tensors: Map<string, Tensor>,
): ReturnType<typeof recordRefit> {
	const node = present(net.byNode.get(id), 'a reader');
	const reader = { node, weight: present(node.inputs[slot], 'a weight'), weightAxis: axis };
	const weight = weightMatrix(reader);
	const shift = new Float64Array(weight.cols);
	for (const [position, value] of constants)
		for (let col = 0; col < weight.cols; col++)
			shift[col] = (shift[col] ?? 0) + value * (weight.data[position * weight.cols + col] ?? 0);
	return recordRefit(reader, weight, shift, tensors);
}
