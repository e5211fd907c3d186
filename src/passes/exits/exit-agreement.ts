/**
 * The threshold of exits by how often they may disagree with the whole model: the loosest confidence at which a Clopper–Pearson bound on
 * disagreement among examples that leave still holds, tried from strict to loose and stopped at the first that fails, so that
 * trying many costs no confidence (fixed-sequence testing, as in CALM, arXiv:2207.07061). How sure the exits are, which disagreements
 * do not move, decides which thresholds are passed over because too few leave.
 */
import { Fault, present } from '../../diagnostic.ts';
import { type Model, type ValueName } from '../../ir/graph/graph.ts';
import { type Lab } from '../../ir/lab.ts';
import { type Matrix } from '../../ir/matrix.ts';
import { type Predicate } from '../../ir/recipe/recipe.ts';
import { constantTerm } from '../../ir/recipe/predicate.ts';
import { noAgreement, tooLittleData } from '../../messages/exit.ts';
import { needsData } from '../../messages/plan.ts';
import { upperBound } from '../../numerics/binomial.ts';
import { type PlanRequest } from '../technique.ts';

/** The chance that the true disagreement is above the bound. */
const alpha = 0.05;
/** From strict to loose. */
const tried = Array.from({ length: 99 }, (_, at) => 0.99 - at / 100);

/** The share that `agreement >= 99%` asks for; undefined for other conditions. */
export function agreementAsked(when: Predicate): number | undefined {
	if (when.kind !== 'compare' || when.left.kind !== 'field' || when.left.name !== 'agreement')
		return undefined;
	return when.op === '>=' ? constantTerm(when.right) : undefined;
}

/** What judges an agreement: the models whose scores the exits give, first to last, and the output that holds the scores. */
export type Leaving = {
	readonly early: readonly Model[];
	readonly scores: ValueName;
	readonly areProbabilities: boolean;
};

/**
 * `confidence > t`, chosen, the same for all exits; a row leaves at the first that is so sure. All examples of the lab judge, so
 * nothing may have been fitted to them. Throws `Fault` when data is too little or says no.
 */
export async function confidenceFor(
	asked: number,
	leaving: Leaving,
	{ step, model, lab }: PlanRequest,
): Promise<Predicate> {
	const span = step.spans.when ?? step.span;
	if (lab?.calibrated !== true) throw new Fault(needsData({ metric: 'agreement', fitted: true }, { span }));
	const judged = await judge(lab, model, leaving);
	// With no disagreement at all, the bound is 1 − alpha^(1/n).
	const least = Math.ceil(Math.log(alpha) / Math.log(asked));
	if (judged.length < least) throw new Fault(tooLittleData({ found: judged.length, least, asked }, { span }));
	let chosen: number | undefined;
	for (const threshold of tried) {
		const left = judged.flatMap((exits) => exits.find(({ confidence }) => confidence > threshold) ?? []);
		if (left.length < least) continue;
		const wrong = left.filter(({ agrees }) => !agrees).length;
		if (upperBound(wrong, left.length, alpha) > 1 - asked) break;
		chosen = threshold;
	}
	if (chosen === undefined) throw new Fault(noAgreement({ asked, count: judged.length }, { span }));
	return {
		kind: 'compare',
		op: '>',
		left: { kind: 'field', name: 'confidence' },
		right: { kind: 'number', value: chosen },
	};
}

type Judged = { readonly confidence: number; readonly agrees: boolean };

/** Of each row, what each exit says of it. */
async function judge(
	lab: Lab,
	model: Model,
	{ early, scores, areProbabilities }: Leaving,
): Promise<readonly (readonly Judged[])[]> {
	const whole = await rowsOn(lab, model, scores);
	const exits: Matrix[] = [];
	for (const one of early) exits.push(await rowsOn(lab, one, scores));
	return Array.from({ length: whole.rows }, (_, row) =>
		exits.map((exit) => ({
			confidence: confidenceOf(rowOf(exit, row), areProbabilities),
			agrees: named(rowOf(exit, row)) === named(rowOf(whole, row)),
		})),
	);
}

const rowsOn = async (lab: Lab, model: Model, scores: ValueName): Promise<Matrix> =>
	present((await lab.rows(model, [scores], 'all')).values[0], 'rows of scores');
const rowOf = ({ cols, data }: Matrix, row: number): Float64Array =>
	data.subarray(row * cols, (row + 1) * cols);
const named = (scores: Float64Array): number => scores.indexOf(Math.max(...scores));

function confidenceOf(scores: Float64Array, areProbabilities: boolean): number {
	const top = Math.max(...scores);
	return areProbabilities ? top : 1 / scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
}
