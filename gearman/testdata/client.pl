# A client for TestPeers: client.pl HOST PORT DIR POINT...
use strict;
use warnings;
use Gearman::Client;
use List::Util qw(uniq);

my ($host, $port, $dir, @wanted) = @ARGV;
my $c = Gearman::Client->new(job_servers => "$host:$port", exceptions => 1);

sub slurp {
    open my $f, "<:raw", "$dir/$_[0]" or die $!;
    local $/;
    return <$f>;
}
sub events {
    my @seen;
    $c->do_task(shift, "x", {
        on_data => sub { push @seen, "data ${$_[0]}" },
        on_warning => sub { push @seen, "warning ${$_[0]}" },
        on_status => sub { push @seen, "progress $_[0]/$_[1]" },
        on_complete => sub { push @seen, "complete ${$_[0]}" },
        on_fail => sub { push @seen, "failed" },
        on_exception => sub { push @seen, "exception $_[0]" },
    });
    return join ", ", @seen;
}
sub same {
    my $workload = slurp(shift);
    return ${$c->do_task("echo", \$workload)} eq $workload ? "same" : "other";
}
sub known {
    my $s = $c->get_status(shift);
    return ($s->known ? "known" : "unknown") . ($s->running ? " running" : "");
}
sub note {
    my ($word, %options) = @_;
    return ("note", "$dir/gate $dir/log $word", \%options);
}

my $first;
my %points = (
    foreground => sub { ${$c->do_task("upper", "hello")} },
    high => sub { ${$c->do_task("upper", "hello", {priority => "high"})} },
    (map { my $function = $_; $_ => sub { events($function) } } qw(empty fails throws events)),
    (map { my $file = $_; $_ => sub { same($file) } } qw(binary 1MB 16MB)),
    status => sub {
        $first = $c->dispatch_background(note("first", uniq => "the first"));
        1 until known($first) =~ /running/;
        return known($first);
    },
    progress => sub {
        my $p;
        do { $p = $c->get_status($first)->progress } until $p->[1];
        return join "/", @$p;
    },
    queue => sub {
        return uniq(
            $first,
            $c->dispatch_background(note("low", priority => "low")),
            $c->dispatch_background(note("normal")),
            $c->dispatch_background(note("twin", uniq => "the twin")),
            $c->dispatch_background(note("twin", uniq => "the twin")),
            $c->dispatch_background(note("high", priority => "high")),
        ) . " jobs";
    },
    order => sub {
        open my $gate, ">", "$dir/gate" or die $!;
        return ${$c->do_task(note("last", priority => "low"))} . " " . (slurp("log") =~ s/ $//r);
    },
    over => sub { known($first) },
);
print "$_: ", $points{$_}->(), "\n" for @wanted;
