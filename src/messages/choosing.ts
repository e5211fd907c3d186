/** Where units are chosen among by number, as experts are. */
import { defineDiagnostic } from '../diagnostic.ts';

type Choosing = {
	/** Who chooses. */
	readonly by: string;
	readonly count: number;
	/** How many are left to choose from. */
	readonly left: number;
	readonly unit: string;
	/** Whose units they are. */
	readonly of: string;
};

export const choosesFewer = defineDiagnostic({
	code: 'plan/chooses-fewer',
	severity: 'warning',
	explain:
		'A fused mixture sends each token to so many experts. Where fewer are left it is made to send it to all of them, which weighs each as the router does among those.',
	message: ({ by, count, left }: Choosing) => `where ${by} chose ${count} it chooses ${left} from now on`,
	hint: ({ count, unit }) => `\`prune ${unit} keep ${count}\` leaves as many as it chose`,
});
export const chosenAmong = defineDiagnostic({
	code: 'plan/kept-to-choose',
	severity: 'warning',
	explain: 'TopK chooses a given number of positions; as many must be left for it, so no more units can go.',
	message: ({ by, count, left, of }: Choosing) =>
		`of ${of} ${left} stay, and no more can go: ${by} chooses ${count}`,
});
export const tooFewToChoose = defineDiagnostic({
	code: 'plan/too-few-to-choose',
	severity: 'error',
	explain: 'TopK chooses a given number of positions; as many must be left for it.',
	message: ({ by, count, left, of }: Choosing) =>
		`of ${of} ${left} would be left, and ${by} chooses ${count}`,
	hint: ({ count, unit }) => `leave at least ${count}: \`prune ${unit} keep ${count}\``,
});
